"""The rules that a reading must pass, one file a family. None repairs: what contradicts is reported."""
