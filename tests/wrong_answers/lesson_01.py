"""What learners of lesson 01 may answer."""

PIPELINE = """\
def for_evaluation(size):
    return v2.Compose([v2.ToImage(), {}])
"""
CROP = "v2.Resize(size), v2.CenterCrop(size), "
FLOAT, NORMALISE = "v2.ToDtype(torch.float32, scale=True), ", "v2.Normalize(MEAN, STD)"
AUGMENTATION = "my_augmentation = v2.Compose([v2.ToImage(), {}])"
BATCHES = {"A": "not normalised", "B": "not scaled", "C": "right", "D": "normalised twice"}

DARK = "def my_change(image):\n    return image.point(lambda value: value // 4)\n\n\n"

WRONG = {
    "q1": [
        ("white = 1.0", "white after scaling"),
        ("white = 255", "white before the first step"),
        ("white = 1 - MEAN[0]", "What about the standard deviation?"),
        ("white = (1 - MEAN[2]) / STD[2]", "That is blue"),
        ("white = (255 - MEAN[0]) / STD[0]", "Scale first"),
        ("white = 7", "Take 255 through the steps"),
        ("white = 2.4", "Take 255 through the steps"),
        ("white = 1 - MEAN[0] / STD[0]", "put it in brackets"),
        ("white = (0 - MEAN[0]) / STD[0]", "That is black"),
    ],
    "q2": [
        ("def undo(images):\n    return images * mean + std", "changed places"),
        ("def undo(images):\n    return (images + mean) * std", "the last step is undone first"),
        ("def undo(images):\n    return images * std - mean", "To undo that, it is added"),
        ("def undo(images):\n    return images / std + mean", "To undo that, multiply"),
        ("def undo(images):\n    return (images - mean) / std", "normalises once more"),
        ("def undo(images):\n    return images[0]", "one of shape (4, 5) came out"),
        ("def undo(images):\n    return 255 * (images * std + mean)", "These go up to 255"),
    ],
    "q3": [
        (PIPELINE.format("v2.Resize((size, size)), " + FLOAT + NORMALISE), "it is squashed"),
        (PIPELINE.format(CROP + "v2.RandomHorizontalFlip(), " + FLOAT + NORMALISE), "has to be deterministic"),
        (PIPELINE.format(CROP + "v2.ToDtype(torch.float32), " + NORMALISE), "not scaled to 0..1"),
        (PIPELINE.format(CROP + FLOAT), "the normalisation is missing"),
        (PIPELINE.format("v2.Resize(size), " + FLOAT + NORMALISE), "Not all images are square"),
        (PIPELINE.format("v2.CenterCrop(size), " + FLOAT + NORMALISE), "Most of a large image is cut away"),
        (PIPELINE.format("v2.Resize(256), v2.CenterCrop(224), " + FLOAT + NORMALISE), "Does it use `size`?"),
        (PIPELINE.format("v2.Resize(256), v2.CenterCrop(size), " + FLOAT + NORMALISE), "Make it smaller first"),
        (
            PIPELINE.format("v2.Lambda(lambda x: v2.ToImage()(pad(v2.ToPILImage()(x), size))), " + FLOAT + NORMALISE),
            "The centre crop is wanted here",
        ),
    ],
    "q4": [
        ("my_augmentation = evaluate", "All samples are the same"),
        (
            AUGMENTATION.format("v2.RandomResizedCrop(SIZE), v2.ToDtype(torch.float32, scale=True)"),
            "No number is below 0",
        ),
        (AUGMENTATION.format("v2.RandomResizedCrop(SIZE)"), "The two last steps"),
        ("my_augmentation = v2.RandomCrop(64)", "A network takes tensors"),
        (AUGMENTATION.format("v2.RandomResize(64, 99), " + FLOAT + NORMALISE), "they make no batch"),
        (AUGMENTATION.format("v2.Resize(64), v2.RandomHorizontalFlip(), " + FLOAT + NORMALISE), "cuts a square"),
        (AUGMENTATION.format("v2.RandomHorizontalFlip(), " + FLOAT + NORMALISE), "cuts a square"),
        (AUGMENTATION.format("v2.RandomCrop(SIZE), " + FLOAT + NORMALISE + ", v2.ColorJitter(0.3)"), "cuts them off"),
        (AUGMENTATION.format("v2.RandomResizedCrop(32), " + FLOAT + NORMALISE), "not (3, 128, 128)"),
        (AUGMENTATION.format("v2.RandomResizedCrop((20, 90)), " + FLOAT + NORMALISE), "not (3, 128, 128)"),
        (
            AUGMENTATION.format("v2.Grayscale(), v2.RandomResizedCrop(SIZE), " + FLOAT + "v2.Normalize([0.5], [0.2])"),
            "not (3, 128, 128)",
        ),
        (
            AUGMENTATION.format("v2.RandomResizedCrop(SIZE, scale=(0.001, 0.001)), " + FLOAT + NORMALISE),
            "How small may a crop be?",
        ),
        (
            AUGMENTATION.format("v2.RandomResizedCrop(SIZE, scale=(0.01, 0.03)), " + FLOAT + NORMALISE),
            "20 of 40 samples",
        ),
        ("def my_augmentation(size):\n    return train", "That is a function"),
        ("my_augmentation = 128", "A transform is expected here"),
    ],
    "q5": [
        (f"diagnosis = {BATCHES | {'A': 'right'}}", "Which step makes numbers negative?"),
        (f"diagnosis = {BATCHES | {'B': 'normalised twice', 'D': 'not scaled'}}", "can give more than a thousand"),
        (f"diagnosis = {BATCHES | {'D': 'right'}}", "normalised again?"),
        ("diagnosis = {'A': 'not normalised'}", "A dictionary with the keys A, B, C, D"),
        (f"diagnosis = {BATCHES | {'C': 'fine'}}", "C: choose one of"),
    ],
    "q6": [
        ("def my_change(image):\n    return image\n\n\nmy_count = 74", "comes out as it went in"),
        (DARK + "my_count = 300", "You say 300 of 80"),
        (DARK + "my_count = 3", "`count_right(my_change)` counts them"),
        ("def my_change(image):\n    return evaluate(image)\n\n\nmy_count = 90", "A PIL image is expected"),
        ("my_change = 0.3\nmy_count = 90", "A function is expected here"),
    ],
}

RIGHT = {
    "q1": [
        "white = normalise(Image.new('RGB', (1, 1), 'white'))[0, 0, 0]",
        "white = 2.25",
        "white = '2.2'",
    ],
    "q2": [
        "def undo(images):\n    return (images * std + mean).clamp(0, 1)",
        "def undo(images):\n    return images.numpy() * np.reshape(STD, (3, 1, 1)) + np.reshape(MEAN, (3, 1, 1))",
        "undo = v2.Normalize([-m / s for m, s in zip(MEAN, STD)], [1 / s for s in STD])",
    ],
    "q3": [
        "def for_evaluation(size):\n    return eval_transform(track.preprocessing.at(size))",
        "def for_evaluation(size):\n    return lambda image: normalise(centre_crop(image, size))",
        PIPELINE.format("v2.Resize(size + 32), v2.CenterCrop(size), " + FLOAT + NORMALISE),  # PyTorch's, at 224
    ],
    "q4": [
        "my_augmentation = train",
        AUGMENTATION.format(
            "v2.RandomResizedCrop(SIZE, scale=(0.25, 1)), v2.TrivialAugmentWide(), " + FLOAT + NORMALISE
        ),
        AUGMENTATION.format(
            "v2.Resize(150), v2.RandomCrop(SIZE), v2.ColorJitter(0.3, 0.3), v2.RandomRotation(180), "
            + FLOAT
            + NORMALISE
            + ", v2.RandomErasing()"
        ),
    ],
    "q5": ['diagnosis = {"A": "Not normalized", "B": "not scaled", "C": "right", "D": "normalized twice"}'],
    "q6": [
        "def my_change(image):\n    image.paste('black', (0, 0, 130, image.height))\n    return image\n\n\n"
        "my_count = count_right(my_change)",
        "my_change = v2.RandomRotation((90, 90), expand=True)\nmy_count = str(count_right(my_change))",
    ],
}
