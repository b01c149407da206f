"""What every kernel of this environment does when it starts."""

c = get_config()  # noqa: F821  IPython runs this file, and brings the name
c.InteractiveShellApp.extensions = ["helpers.kernel"]
