"""What learners of lesson 03 may answer."""

START = "def start_training(model):\n"

WRONG = {
    "q1": [
        ("side = 7", "the side for 224 px"),
        ("side = 4", "after four halvings"),
        ("side = 8", "Go on halving"),
        ("side = 64 / 5", "Halve 64 five times"),
        ("side = (2, 2)", "One number is expected"),
    ],
    "q2": [
        ("def only_the_head(model):\n    return model.requires_grad_(False)", "the head is frozen, too"),
        ("def only_the_head(model):\n    model.fc.requires_grad_(False)\n    return model", "The other way round"),
        ("def only_the_head(model):\n    model.conv.requires_grad_(False)\n    return model", "would still be trained"),
        (
            "def only_the_head(model):\n"
            "    for name, parameter in model.named_parameters():\n"
            "        if not name.startswith('fc'):\n"
            "            parameter.requires_grad = False\n"
            "    return model",
            "Wake up the head",
        ),
        ("def only_the_head(model):\n    model.requires_grad_(False)", "end with `return`?"),
        (
            "def only_the_head(model):\n"
            "    model.requires_grad_(False)\n"
            "    model.fc = nn.Linear(model.fc.in_features, 2)\n"
            "    return model",
            "has got another head",
        ),
    ],
    "q3": [
        ("batches_until_gone = 10", "of the *remaining* way"),
        ("batches_until_gone = 8", "leave nearly half"),
        ("batches_until_gone = 43", "One more"),
        ("batches_until_gone = 100", "Look for the first n"),
    ],
    "q4": [
        (
            START + "    for layer in model.modules():\n"
            "        if isinstance(layer, nn.BatchNorm2d):\n"
            "            layer.eval()\n"
            "    return model.train()",
            "has moved. In which mode",
        ),
        (START + "    return model.eval()", "Now dropout is off as well"),
        (
            START + "    model.train()\n    model.block[0].requires_grad_(False)\n    return model",
            "has moved",
        ),
        (
            START + "    model.train()\n"
            "    for layer in model.children():\n"
            "        if isinstance(layer, nn.BatchNorm2d):\n"
            "            layer.eval()\n"
            "    return model",
            "inside of a block has moved",
        ),
        (START + "    model.train()\n    model.block[0].momentum = 0\n    return model", "those of the batch"),
        (START + "    model.train()\n    model.block[0].eval()", "end with `return`?"),
    ],
    "q5": [
        ("my_network = freeze(replace_head(meta_model('resnet50'), 2))", "A ResNet again"),
        ("my_network = freeze(meta_model('vgg16'))", "still makes 1000 scores"),
        ("my_network = replace_head(meta_model('densenet121'), 2)", "parameters outside of the head"),
        ("my_network = replace_head(meta_model('vgg16'), 2).requires_grad_(False)", "Nothing would be trained"),
        ("my_network = 'vgg16'", "A network is expected"),
        (
            "my_network = meta_model('inception_v3').requires_grad_(False)\nmy_network.fc = nn.Linear(2048, 2)",
            "AuxLogits.fc still makes 1000 scores",
        ),
        (
            "my_network = meta_model('mobilenet_v3_small').requires_grad_(False)\nmy_network.fc = nn.Linear(1024, 2)",
            "Was the head itself replaced?",
        ),
        (
            "my_network = freeze(load_model(None, 'mobilenet_v3_small'))\nmy_network.classifier[3].out_features = 2",
            "Was the head itself replaced?",
        ),
    ],
}

RIGHT = {
    "q2": [
        "def only_the_head(model):\n"
        "    for name, parameter in model.named_parameters():\n"
        "        parameter.requires_grad = name.startswith('fc.')\n"
        "    return model"
    ],
    "q3": ["batches_until_gone = 44"],
    "q4": [
        "def start_training(model):\n"
        "    model.train()\n"
        "    model.apply(lambda layer: layer.eval() if 'BatchNorm' in type(layer).__name__ else None)\n"
        "    return model"
    ],
    "q5": [
        "my_network = freeze(replace_head(meta_model('squeezenet1_1'), 2))",
        "my_network = freeze(replace_head(meta_model('inception_v3'), 2))",
        "my_network = freeze(replace_head(meta_model('vit_b_16'), 2))",
    ],
}
