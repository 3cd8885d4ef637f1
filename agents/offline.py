"""Owns the reader without a model: rules alone. It says so wherever it appears."""

from agents.budgets import BudgetMeter
from agents.intake.answer import ModelAnswer
from prompts.loader import RenderedPrompt

OFFLINE_NOTICE = "No language model is configured: documents are read by rules alone."
"""For every surface that shows who read a document; nothing is sent anywhere then."""


class OfflineReader:
    """Adds nothing to what the rules read. Deterministic, and without any network."""

    label = "offline"
    is_offline = True

    async def read(self, prompt: RenderedPrompt, meter: BudgetMeter) -> ModelAnswer:
        """An answer without a single value: the rules' reading stands alone."""
        return ModelAnswer()
