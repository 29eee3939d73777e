"""Data files: an organisation with its catalogue, contacts and offers as one JSON document.

``read`` takes the bytes of a file apart, ``Datasets.load`` takes the document in, ``moved_to`` moves all its dates.
"""

from services.dataset.dates import moved_to
from services.dataset.loading import Datasets, Loaded
from services.dataset.reading import read

__all__ = ["Datasets", "Loaded", "moved_to", "read"]
