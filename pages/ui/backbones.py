"""The backbones to choose from: how good, how large, how much work, and whether their weights are here."""

from __future__ import annotations

import streamlit as st

from pages.ui import downloads, drafts, folders, words
from pages.ui.guard import guard
from pages.ui.words import plain
from transfer_core.backbones.catalogue import STARTER, BackboneInfo, catalogue
from transfer_core.backbones.weights import kept_weights
from transfer_core.data.project import Project
from transfer_core.i18n import _
from transfer_core.training.settings import RunSettings

# From small to large, each clearly better or clearly quicker than its neighbours.
SUGGESTED = (
    STARTER,
    "mobilenet_v3_large",
    "mobilenet_v2",
    "efficientnet_b0",
    "resnet18",
    "resnet50",
    "convnext_tiny",
    "efficientnet_v2_s",
)


_PAGE = 10


def draw_chosen(project: Project) -> RunSettings:
    """Say which backbone the next training starts from."""
    settings = drafts.read(project)
    info = catalogue().get(settings.backbone)
    with st.container(border=True, gap="xsmall"):
        st.caption(_("Chosen now"))
        st.markdown(f"**{plain(info.title if info else settings.backbone)}**")
        if info is not None:
            st.markdown(_facts(info, catalogue()[STARTER]))
            _whether_here(info, bool(settings.weights))
        if settings.weights:
            st.caption(_("With the weights in this file of yours:") + " " + plain(settings.weights))
    return settings


def draw_choice(project: Project, settings: RunSettings) -> None:
    """Draw the backbones, each with a button to choose it."""
    st.header(_("Others"), anchor=False)
    with st.expander(_("What the numbers mean"), icon=":material/help:"):
        st.markdown(_explanation())
    everything = catalogue()
    kept = {weights.backbone for weights in kept_weights()}
    which = {
        "suggested": _("Suggested"),
        "here": _("Here already"),
        "all": _("All {count}").format(count=len(everything)),
    }
    chosen = st.segmented_control(
        _("Which to show"),
        list(which),
        default="suggested",
        required=True,
        format_func=which.__getitem__,
        label_visibility="collapsed",
    )
    names = {"suggested": list(SUGGESTED), "here": [name for name in everything if name in kept]}
    shown = [everything[name] for name in names.get(chosen or "suggested", everything)]
    shown = [info for info in shown if info.name != settings.backbone or settings.weights]
    if chosen == "all":
        shown = _searched(shown)
    shown.sort(key=lambda info: (info.name != STARTER, info.multiply_adds))
    page = st.pagination(-(-len(shown) // _PAGE), key=f"page-{chosen}") if len(shown) > _PAGE else 1
    for info in shown[(page - 1) * _PAGE : page * _PAGE]:
        _card(project, info, everything[STARTER])
    if not shown:
        st.caption(_("None but the chosen one."))


def draw_own_file(project: Project) -> None:
    """Let the user name a file with weights of their own."""
    with st.expander(_("Use a file with weights of your own"), icon=":material/upload_file:"):
        st.markdown(
            _(
                "Weights are the numbers that a network has learned. If this computer has no internet, or you have trained "
                "weights yourself, give a file in torchvision's format (.pth, .pt or .safetensors). It is checked when training "
                "begins, and it is only read."
            )
        )
        everything = catalogue()
        with st.form("own-weights", border=False):
            name = st.selectbox(
                _("The network the file is for"),
                [name for name in everything if name != STARTER],
                format_func=lambda name: everything[name].title,
            )
            text = st.text_input(_("File on this computer"))
            if st.form_submit_button(_("Use this file"), icon=":material/check:"):
                with guard():
                    drafts.change(project, backbone=name, weights=str(folders.typed_file(text)))
                    st.rerun()


def _card(project: Project, info: BackboneInfo, starter: BackboneInfo) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        with st.container(gap="xsmall"):
            st.markdown(f"**{plain(info.title)}**")
            st.markdown(_facts(info, starter))
            _whether_here(info)
        if st.button(_("Choose"), key=f"choose-{info.name}", help=plain(info.title)):
            with guard():
                drafts.change(project, backbone=info.name, weights=None)
                st.rerun()


def _facts(info: BackboneInfo, starter: BackboneInfo) -> str:
    accuracy = _("made for quick starts")
    if info.accuracy:
        accuracy = _("{share} on ImageNet").format(share=words.percent(info.accuracy / 100, 1))
    times = info.multiply_adds / starter.multiply_adds if starter.multiply_adds else 1.0
    work = _("the least work") if times < 1.5 else _("{times} times the starter's work").format(times=f"{times:,.0f}")
    parameters = _("{count} million parameters").format(count=f"{info.parameters / 1e6:.1f}")
    return " · ".join([accuracy, work, parameters])


def _whether_here(info: BackboneInfo, own_file: bool = False) -> None:
    if own_file:
        downloads.here()
    else:
        downloads.draw(info)
    if info.licence and info.licence != "Apache-2.0":
        st.caption(_("Its weights have a licence of their own:") + " " + plain(info.licence))


def _searched(shown: list[BackboneInfo]) -> list[BackboneInfo]:
    wanted = st.text_input(_("Search by name"), icon=":material/search:").lower().split()
    return [info for info in shown if all(word in f"{info.name} {info.title}".lower() for word in wanted)]


def _explanation() -> str:
    return "\n".join(
        "* " + line
        for line in (
            _(
                "**On ImageNet**: how often the network is right on a public test with a thousand kinds of things. "
                "Higher usually means that it also does better on your pictures."
            ),
            _("**Work**: how long it takes to look at one picture, measured against the starter, the quickest one."),
            _("**Parameters**: the numbers it has learned. More of them make the model's file larger."),
            _(
                "**Weights**: the file with those numbers. The starter's come with the program; others are downloaded once, "
                "or come from a file."
            ),
        )
    )
