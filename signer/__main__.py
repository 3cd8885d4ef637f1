"""Owns `python -m signer`. Must never hold logic of its own."""

from signer.main import main

raise SystemExit(main())
