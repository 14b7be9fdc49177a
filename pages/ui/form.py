"""The form of a training's settings, drawn from the settings' own fields: range, explanation and what they depend on."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any, Literal, Union, get_args, get_origin

import streamlit as st
from annotated_types import Ge, Gt, Le
from pydantic.fields import FieldInfo

from pages.ui import depths, drafts, heads
from pages.ui.guard import guard
from pages.ui.words import plain
from transfer_core.advice.depths import Task
from transfer_core.data.project import Project
from transfer_core.i18n import _, ngettext
from transfer_core.training.settings import RunSettings

# These have places of their own: a choice at the top of the form, and the Backbone page.
ELSEWHERE = frozenset({"plan", "backbone", "weights"})
# Of interest to few: folded away.
FINE = frozenset({"device", "threads", "seed"})


def labels() -> dict[str, str]:
    """What the settings are called."""
    return {
        "plan": _("Plan"),
        "backbone": _("Backbone"),
        "weights": _("Weights"),
        "freeze": _("What stays frozen"),
        "head": _("Head"),
        "hidden_width": _("Units in the hidden layer"),
        "dropout": _("Dropout"),
        "epochs": _("Epochs"),
        "learning_rate": _("Learning rate"),
        "batch_size": _("Batch size"),
        "augment": _("Vary the pictures"),
        "device": _("Device"),
        "threads": _("Processor cores"),
        "seed": _("Seed"),
    }


def label(name: str) -> str:
    """What a setting is called; one that has no name here yet is called by its own."""
    return labels().get(name, name.replace("_", " ").capitalize())


def choice(name: str, value: Any) -> str:
    """What a value of a setting is called."""
    known = {
        ("plan", "quick"): _("Quick"),
        ("plan", "custom"): _("Custom"),
        ("plan", "better"): _("Better"),
        ("plan", "best"): _("Best"),
        ("freeze", "all"): _("All of the backbone"),
        ("freeze", "last-stage"): _("All but its last stage"),
        ("freeze", "none"): _("Nothing"),
        ("head", "linear"): _("Linear, from nothing"),
        ("head", "logistic"): _("Linear, from a solver's solution"),
        ("head", "mlp"): _("With a hidden layer"),
        ("head", "cosine"): _("Cosine: by angles alone"),
        ("head", "prototype"): _("Nearest class mean"),
        ("device", "auto"): _("Choose for me"),
        ("device", "cpu"): _("Processor"),
        ("device", "cuda"): _("Graphics card"),
    }
    if name == "freeze" and isinstance(value, int):
        return ngettext("The first stage", "The first {count} stages", value).format(count=value) if value else _("Nothing")
    return known.get((name, value), str(value))


def plan_sentence(plan: str) -> str:
    """What a plan does, for people."""
    return {
        "quick": _(
            "Looks at every picture once and learns to tell your classes apart. "
            "Ready in seconds to minutes, and often as good as it gets."
        ),
        "better": _(
            "Makes the quick model first, then trains the last part of the backbone on your pictures, and keeps that only where it "
            "proves better on pictures it did not learn from. Takes minutes."
        ),
        "custom": _(
            "Trains by the settings below, going through your pictures many times. Slower; for when you want to tune by hand."
        ),
    }.get(plan, "")


def draw(project: Project) -> RunSettings:
    """Draw the form; returns the settings as they are. What is changed is kept as the project's draft at once."""
    settings = drafts.read(project)
    plans = list(get_args(RunSettings.model_fields["plan"].annotation))
    st.segmented_control(
        label("plan"), plans, required=True, format_func=lambda value: choice("plan", value), **_bound(project, settings, "plan")
    )
    st.caption(plan_sentence(settings.plan))
    names = [name for name in RunSettings.model_fields if name not in ELSEWHERE and _applies(name, settings)]
    task = depths.task_of(project, settings) if settings.plan == "custom" else None
    if task is not None:
        settings = depths.fitting(project, settings, task.info)
        with st.container(gap="small"):
            depths.draw(project, settings, task, label("freeze"), _named("freeze"), _bound(project, settings, "freeze"))
            st.caption(_(RunSettings.model_fields["freeze"].description or ""))
        names.remove("freeze")
    _fields(project, settings, [name for name in names if name not in FINE], task)
    with st.expander(_("Fine points"), icon=":material/tune:", on_change="rerun", key=_key(project, "fine")) as fine:
        if fine.open:
            _fields(project, settings, [name for name in names if name in FINE], task)
    return settings


def summary(settings: RunSettings) -> list[str]:
    """The settings that matter for these, each as "name: value", for people; Markdown."""
    shown = [name for name in RunSettings.model_fields if name not in ELSEWHERE | FINE and _applies(name, settings)]
    return [f"{label(name)}: {plain(value_text(name, getattr(settings, name)))}" for name in shown]


def value_text(name: str, value: Any) -> str:
    """A setting's value, for people."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return f"{value:g}" if isinstance(value, float) else choice(name, value)


def _bound(project: Project, settings: RunSettings, name: str) -> dict[str, Any]:
    """What ties a widget to a setting: it shows what is on disk, and a change goes there before the page is drawn again."""
    key = _key(project, name)
    st.session_state[key] = getattr(settings, name)
    return {"key": key, "on_change": _save, "args": (project, name, key)}


def _save(project: Project, name: str, key: str) -> None:
    with guard():
        drafts.change(project, **{name: st.session_state[key]})


def _applies(name: str, settings: RunSettings) -> bool:
    extra = RunSettings.model_fields[name].json_schema_extra
    needs = extra.get("needs", {}) if isinstance(extra, dict) else {}
    return all(getattr(settings, other) == value for other, value in needs.items()) if isinstance(needs, dict) else True


def _named(name: str) -> Callable[[Any], str]:
    return lambda value: choice(name, value)


def _fields(project: Project, settings: RunSettings, names: list[str], task: Task | None) -> None:
    if names:
        with st.grid("auto", min_column_width=260, gap="medium"):
            for name in names:
                with st.container(gap="xsmall"):
                    _widget(project, settings, name, task)
                    if description := RunSettings.model_fields[name].description:
                        st.caption(_(description))
                    if name == "head" and task is not None:
                        st.caption(heads.sentence(settings, task))


def _widget(project: Project, settings: RunSettings, name: str, task: Task | None) -> None:
    info, title, bound = RunSettings.model_fields[name], label(name), _bound(project, settings, name)
    kind = _kind(info)
    if get_origin(kind) is Literal:
        value = getattr(settings, name)
        options = [*get_args(kind), *([] if value in get_args(kind) else [value])]
        called = heads.named(settings, task, _named(name)) if name == "head" and task is not None else _named(name)
        st.selectbox(title, options, format_func=called, **bound)
    elif kind is bool:
        st.toggle(title, **bound)
    elif kind in (int, float):
        low, high = _range(info, kind)
        form = {"step": 1} if kind is int else {"step": 1e-4, "format": "%g"}
        st.number_input(title, min_value=low, max_value=high, **form, **bound)
    else:
        st.text_input(title, **bound)


def _kind(info: FieldInfo) -> Any:
    kind = info.annotation
    if get_origin(kind) in (Union, types.UnionType):
        kind = next(argument for argument in get_args(kind) if argument is not type(None))
    return kind


def _range(info: FieldInfo, kind: Any) -> tuple[Any, Any]:
    low = high = None
    for limit in info.metadata:
        if isinstance(limit, Ge):
            low = kind(limit.ge)
        elif isinstance(limit, Gt):
            low = kind(limit.gt) + (1 if kind is int else 1e-6)
        elif isinstance(limit, Le):
            high = kind(limit.le)
    return low, high


def _key(project: Project, name: str) -> str:
    return f"setting {name} of {project.folder}"
