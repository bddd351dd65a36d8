"""Where the JavaScript runtime lies."""

from pathlib import Path


def javascript() -> Path:
    """Returns the folder of its modules: inside this package where it is installed, beside it in a checkout."""
    here = Path(__file__).parent
    packed = here / "web"
    return packed if packed.is_dir() else here.parent / "js" / "src"
