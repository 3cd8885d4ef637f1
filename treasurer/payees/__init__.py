"""Whom an organization pays: the payee master and its verified addresses."""
