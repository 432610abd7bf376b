"""What parity knows of a family."""
from typing import Callable, NamedTuple


class Family(NamedTuple):
    # (folder, seed) -> the model; writes its files into the folder
    build: Callable
    # the path below the folder that tritkit is given, and options that go with it
    source: str = ""
    options: tuple = ()
    # why no image can hold the model; "" when one can
    no_image: str = ""
    vocab: int = 272
    # a rounding may choose another expert, whose output is another
    mixture: bool = False
