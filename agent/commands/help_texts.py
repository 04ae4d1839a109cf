"""Help texts for tyro: the lines of a field's docstring flow as one paragraph, and unset options show no default value.

tyro keeps the line breaks of a field's docstring, because it does not remove the indentation of its continuation lines, and
appends ``(default: None)`` to texts that already describe the default, ``(default: False)`` to flags, and ``(default: )`` to
lists of required arguments.
"""

from dataclasses import is_dataclass, replace
from typing import Annotated, get_args, get_origin

from tyro.conf import arg
from tyro.constructors import MISSING_NONPROP, ConstructorRegistry, StructConstructorSpec, StructFieldSpec, StructTypeInfo


def help_text_rules() -> ConstructorRegistry:
    """Rules that adjust the fields of every dataclass, for the argument `registry` of `tyro.cli`."""
    rules = ConstructorRegistry()
    adjusted: list[StructTypeInfo] = []

    @rules.struct_rule
    def adjust(info: StructTypeInfo) -> StructConstructorSpec | None:
        if info in adjusted or not is_dataclass(info.type):
            return None
        adjusted.append(info)  # this rule is skipped below, so that tyro's own one applies
        spec = ConstructorRegistry.get_struct_spec(info)
        adjusted.pop()
        if not isinstance(spec, StructConstructorSpec):
            return None
        return replace(spec, fields=tuple(_adjusted(field) for field in spec.fields))

    return rules


def _adjusted(field: StructFieldSpec) -> StructFieldSpec:
    text = field.helptext() if callable(field.helptext) else field.helptext
    field = replace(field, helptext=text and " ".join(text.split()))
    base, *settings = get_args(field.type) if get_origin(field.type) is Annotated else (field.type,)
    if field.default is None or field.default is False or field.default == ():
        hint = ""
    elif field.default is MISSING_NONPROP and get_origin(base) is tuple:
        hint = "(one or more)"
    else:
        return field
    # The field's own settings come last and win.
    return replace(field, type=Annotated[base, arg(help_behavior_hint=hint), *settings])  # type: ignore[arg-type]
