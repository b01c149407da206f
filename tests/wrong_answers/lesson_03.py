"""What learners of lesson 03 may answer."""

START = "def start_training(model):\n"
OWN = "my_trained_network, my_preprocessing = frozen_resnet(), track.preprocessing.at(64)\n"
VAL = "make_dataloader(with_transform(datasets['val'], eval_transform(my_preprocessing)))"
TRAIN = VAL.replace("['val']", "['train']")
MEASURED = (
    "from helpers.evaluation import accuracy, predict\n"
    f"my_probabilities, my_labels = predict(my_trained_network, {VAL})\n"
    "my_accuracy = accuracy(my_probabilities.argmax(1), my_labels).value"
)

WRONG = {
    "q1": [
        ("side = 7", "the side for 224 px"),
        ("side = 4", "after four halvings"),
        ("side = 8", "Go on halving"),
        ("side = 64 / 5", "Halve 64 five times"),
        ("side = (2, 2)", "One number is expected"),
    ],
    "q2": [
        ("tokens_of_patch32 = 7 * 7", "One token belongs to no patch"),
        ("tokens_of_patch32 = 197", "patches of 16 pixels"),
        ("tokens_of_patch32 = 99", "a quarter of them"),
        ("tokens_of_patch32 = 32", "Count the patches in a row"),
        ("tokens_of_patch32 = 'fifty'", "One number is expected"),
    ],
    "q3": [
        ("def only_the_head(model):\n    return model.requires_grad_(False)", "the head is frozen, too"),
        ("def only_the_head(model):\n    model.fc.requires_grad_(False)\n    return model", "The other way round"),
        ("def only_the_head(model):\n    model.conv.requires_grad_(False)\n    return model", "would still be trained"),
        (
            "def only_the_head(model):\n"
            "    for name, parameter in model.named_parameters():\n"
            "        if not name.startswith('fc'):\n"
            "            parameter.requires_grad = False\n"
            "    return model",
            "Make all of the head trainable",
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
    "q4": [
        ("batches_until_gone = 10", "of the *remaining* way"),
        ("batches_until_gone = 8", "leave nearly half"),
        ("batches_until_gone = 43", "One more"),
        ("batches_until_gone = 100", "Look for the first n"),
    ],
    "q5": [
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
    "q6": [
        ("my_network = freeze(replace_head(meta_model('resnet50'), 2))", "A ResNet again"),
        ("my_network = freeze(meta_model('vgg16'))", "still makes 1000 logits"),
        ("my_network = replace_head(meta_model('densenet121'), 2)", "parameters outside of the head"),
        ("my_network = replace_head(meta_model('vgg16'), 2).requires_grad_(False)", "Nothing would be trained"),
        ("my_network = 'vgg16'", "A network is expected"),
        (
            "my_network = meta_model('inception_v3').requires_grad_(False)\nmy_network.fc = nn.Linear(2048, 2)",
            "AuxLogits.fc still makes 1000 logits",
        ),
        (
            "my_network = meta_model('mobilenet_v3_small').requires_grad_(False)\nmy_network.fc = nn.Linear(1024, 2)",
            "Was the head itself replaced?",
        ),
        (
            "my_network = freeze(load_model(None, 'mobilenet_v3_small'))\nmy_network.classifier[3].out_features = 2",
            "Was the head itself replaced?",
        ),
        (
            "my_network = freeze(replace_head(meta_model('vgg16'), 2), ('classifier',))",
            "classifier.0.weight for one: it has the name and the shape of a pretrained one",
        ),
        (
            "my_network = torchvision.models.vgg11()\nmy_network.features.requires_grad_(False)\n"
            "my_network.classifier[-1] = nn.Linear(4096, 2)",
            "classifier.0.weight for one: it has the name and the shape of a pretrained one",
        ),
        (
            "my_network = timm.create_model('convnext_atto', num_classes=2).requires_grad_(False)\n"
            "my_network.head.requires_grad_(True)",
            "head.norm.weight for one: it has the name and the shape of a pretrained one",
        ),
        ("my_network = freeze(replace_head(meta_model('timm/resnet18'), 2))", "A ResNet again"),
    ],
    "q7": [
        (f"{OWN}my_accuracy = 0.9\nmy_trained_network = 'resnet18'", "A network is expected"),
        (f"{OWN}my_accuracy = 0.9\nmy_preprocessing = 64", "a Preprocessing"),
        (f"{OWN}my_accuracy = 90", "from 0 to 1"),
        (f"{OWN}my_accuracy = 0.99", "evaluation mode, and count images"),
        (f"{OWN}my_accuracy = 0.9\nmy_trained_network = load_model('embedded')", "still makes 199 logits"),
        (
            f"{OWN}my_accuracy = 0.9\nmy_trained_network = replace_head(load_model(None, 'mobilenet_v3_small'), 2)",
            "Take a network that load_model makes",
        ),
        (
            f"{OWN}my_accuracy = 0.9\nmy_trained_network.train()\n"
            "my_trained_network(torch.randn(8, 3, 64, 64).to(device))",
            "bn1.running_mean for one. Frozen means frozen",
        ),
        (f"{OWN}my_trained_network.fc.weight.data.zero_()\n{MEASURED}", "is not clearly more than"),
    ],
}

RIGHT = {
    "q1": ["side = 2.0"],
    "q2": ["tokens_of_patch32 = 1 + (SIZE // 32) ** 2", "tokens_of_patch32 = torch.tensor(50)"],
    "q3": [
        "def only_the_head(model):\n"
        "    for name, parameter in model.named_parameters():\n"
        "        parameter.requires_grad = name.startswith('fc.')\n"
        "    return model"
    ],
    "q4": ["batches_until_gone = 44"],
    "q5": [
        "def start_training(model):\n"
        "    model.train()\n"
        "    model.apply(lambda layer: layer.eval() if 'BatchNorm' in type(layer).__name__ else None)\n"
        "    return model"
    ],
    "q6": [
        "my_network = meta_model('mobilenet_v3_small').requires_grad_(False)\n"
        "my_network.classifier = nn.Sequential(nn.Linear(576, 64), nn.ReLU(), nn.Linear(64, 2)).to('meta')",
        "my_network = timm.create_model('vit_tiny_patch16_224', num_classes=2).requires_grad_(False)\n"
        "my_network.head = nn.Sequential(nn.Linear(192, 64), nn.GELU(), nn.Linear(64, 2))",
        "my_network = torchvision.models.vgg11()\nmy_network.requires_grad_(False)\n"
        "my_network.classifier[-1] = nn.Linear(4096, 2)",
        "my_network = freeze(replace_head(meta_model('squeezenet1_1'), 2))",
        "my_network = freeze(replace_head(meta_model('inception_v3'), 2))",
        "my_network = freeze(replace_head(meta_model('vit_b_16'), 2))",
    ],
    "q7": [
        # features once, and a probe as the head
        f"from helpers.features import probe_head\n{OWN}probe_head(my_trained_network, {TRAIN})\n{MEASURED}",
    ],
}
