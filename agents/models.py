"""Owns which model reads documents: none (offline), or any endpoint that speaks OpenAI's protocol.

Must never give a reader model a tool. Its libraries are imported when one is made, not before.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import SecretStr

from agents.budgets import BudgetMeter
from agents.intake.answer import ModelAnswer
from agents.offline import OfflineReader
from prompts.loader import RenderedPrompt
from treasurer.kernel.errors import Permanent, Transient

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

ANSWER_TOKENS = 4_000
"""Room for the answer, and for a thinking model's thoughts before it."""


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """What an operator configured. Neither key nor address means offline."""

    api_key: SecretStr | None
    base_url: str | None
    model: str
    timeout_s: int = 60


class InvoiceReader(Protocol):
    """Reads one rendered prompt into one answer. `label` is shown on every surface."""

    @property
    def label(self) -> str: ...

    @property
    def is_offline(self) -> bool: ...

    async def read(self, prompt: RenderedPrompt, meter: BudgetMeter) -> ModelAnswer:
        """Raises Transient MODEL_UNAVAILABLE, Permanent MODEL_ANSWER_INVALID, BudgetExhausted."""
        ...


def invoice_reader(settings: ModelSettings) -> InvoiceReader:
    """The reader that the settings ask for."""
    if settings.api_key is None and settings.base_url is None:
        return OfflineReader()
    return ChatReader(chat_model(settings), label=settings.model)


def chat_model(settings: ModelSettings) -> "BaseChatModel":
    """A chat model over the configured endpoint, with bounded time and one retry."""
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(
        model=settings.model,
        # A local endpoint often wants no key, but the protocol's client insists on one.
        api_key=settings.api_key or SecretStr("unused"),
        base_url=settings.base_url,
        timeout=settings.timeout_s,
        max_retries=1,
        max_completion_tokens=ANSWER_TOKENS,
        use_responses_api=False,
    )


class ChatReader:
    """A chat model bound to the answer's schema. It has no tools, no memory and no second turn."""

    is_offline = False

    def __init__(self, model: "BaseChatModel", *, label: str) -> None:
        self.label = label
        self._model = model.with_structured_output(
            ModelAnswer, method="json_schema", include_raw=True
        )

    async def read(self, prompt: RenderedPrompt, meter: BudgetMeter) -> ModelAnswer:
        """One call. An answer that does not fit the schema is an error and never repaired."""
        from openai import APIError, OpenAIError
        from pydantic import ValidationError

        meter.require_tokens(len(prompt.system) + len(prompt.user))
        try:
            result: Any = await self._model.ainvoke(
                [("system", prompt.system), ("user", prompt.user)]
            )
        except APIError as error:
            raise Transient(
                "MODEL_UNAVAILABLE", f"the model did not answer ({type(error).__name__})"
            ) from error
        except (ValidationError, OpenAIError, ValueError) as error:
            raise _invalid() from error
        usage = getattr(result["raw"], "usage_metadata", None) or {}
        meter.use_tokens(int(usage.get("total_tokens", 0)))
        answer = result["parsed"]
        if not isinstance(answer, ModelAnswer):
            raise _invalid()
        return answer


def _invalid() -> Permanent:
    return Permanent("MODEL_ANSWER_INVALID", "the model's answer does not fit the schema")
