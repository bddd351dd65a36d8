"""lrc: learns question answering and paraphrase detection from few labels and compiles them for small devices."""

__version__ = "0.2.0"
