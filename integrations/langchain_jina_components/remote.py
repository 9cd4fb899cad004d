"""Whether something runs here or on a server, as fields that our LangChain classes share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from langchain_core.utils import secret_from_env
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, PrivateAttr, SecretStr

from jina_components.errors import ConfigError
from jina_components.remote import JINA, Remote, is_of_jina


class RemoteFields(BaseModel):
    """Where a class that is given no component of ours finds one.

    With a key, in `jina_api_key` or the environment, or a `base_url`, it is asked for on a server; without either it is
    made here, of the same name. It comes first among the bases of a class, so that its `lc_secrets` count.

    A class that names the field of its component as `part`, and says in `_make` how one is made, has it as
    `_component`. Fields of which it is made do not change after that.

    Attributes:
        jina_api_key: Key of the server; by default `JINA_API_KEY` or `JINA_AUTH_TOKEN` of the environment.
        base_url: The root of a server of `jina-components serve`, such as `http://localhost:8000`; by default, where
            there is a key, Jina's hosts.
        timeout: Seconds for a request.
        max_retries: Further attempts of a request that failed for a reason that may pass.

    Raises:
        ConfigError: a component and settings of one are given.
    """

    # Inputs are not shown: one of them is the key.
    model_config = ConfigDict(
        arbitrary_types_allowed=True, extra="forbid", hide_input_in_errors=True, protected_namespaces=()
    )

    jina_api_key: SecretStr | None = Field(
        default_factory=secret_from_env(["JINA_API_KEY", "JINA_AUTH_TOKEN"], default=None),
        validation_alias=AliasChoices("jina_api_key", "jina_auth_token"),
        frozen=True,
    )
    base_url: str | None = Field(default=None, frozen=True)
    timeout: float = Field(default=60.0, frozen=True)
    max_retries: int = Field(default=2, frozen=True)

    part: ClassVar[str] = ""
    made_of: ClassVar[tuple[str, ...]] = ()
    """Further fields of which the component is made."""
    _component: Any = PrivateAttr(default=None)

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        if self.part:
            given = getattr(self, self.part)
            if given is not None:
                self._refuse_both()
            self._component = self._make(self.remote) if given is None else given

    @property
    def remote(self) -> Remote | None:
        """The server, or None for here."""
        if not self.jina_api_key and not self.base_url:
            return None
        key = self.jina_api_key.get_secret_value() if self.jina_api_key else None
        return Remote(self.base_url or JINA, api_key=key, timeout=self.timeout, retries=self.max_retries)

    @property
    def lc_secrets(self) -> dict[str, str]:
        """By which name of the environment LangChain's serialized form stands for the key."""
        return {"jina_api_key": "JINA_API_KEY"}

    def close(self) -> None:
        """Give memory and connections of a component that was made here back; the next call opens them again."""
        if self.part and getattr(self, self.part) is None:
            self._component.close()

    def _make(self, remote: Remote | None) -> Any:
        """The component, where none was given."""
        raise NotImplementedError

    def _refuse_both(self) -> None:
        fields = {name: type(self).model_fields[name] for name in (*RemoteFields.model_fields, *self.made_of)}
        given = vars(self)
        both = [
            name
            for name, field in fields.items()
            if given[name] != field.get_default(call_default_factory=True, validated_data=given)
        ]
        if both:
            raise ConfigError(
                f"{type(self).__name__} takes either {self.part} or settings of one; got {', '.join(both)} too."
            )


class RemoteByArgument(RemoteFields):
    """As `RemoteFields`, of classes that had no predecessor: a key in the environment alone sends nothing away.

    Attributes:
        jina_api_key: Key of the server.
    """

    jina_api_key: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("jina_api_key", "jina_auth_token"), frozen=True
    )


def named(part: str, *, remote: str, here: str) -> Callable[[Mapping[str, Any]], str]:
    """The default of a field for a model's name: that of the component given, or another on Jina's hosts than here."""

    def name(fields: Mapping[str, Any]) -> str:
        if (given := fields.get(part)) is not None:
            return str(getattr(given, "name", type(given).__name__))
        url = fields.get("base_url") or (JINA if fields.get("jina_api_key") else None)
        return remote if is_of_jina(url) else here

    return name
