"""What this computer is and what stands in the way of training on it."""

from __future__ import annotations

import streamlit as st

from pages.ui import words
from transfer_core.advice.computer import Computer, describe
from transfer_core.i18n import _, language, ngettext


def look() -> Computer:
    """This computer, looked at anew every minute."""
    return _described(language())


@st.cache_resource(ttl=60, max_entries=4, show_spinner=False)
def _described(spoken: str) -> Computer:
    return describe()


def draw_summary() -> None:
    """Draw this computer in a line, with its problems."""
    computer = look()
    with st.container(border=True, gap="xsmall"):
        st.header(_("This computer"), anchor=False)
        cores = ngettext("{count} processor core", "{count} processor cores", computer.cores).format(count=computer.cores)
        gpu = ", ".join(words.plain(gpu.name) for gpu in computer.gpus) or _("no graphics card that training can use")
        free, whole = words.size(computer.memory_free), words.size(computer.memory_bytes)
        memory = _("{free} of {all} memory free").format(free=free, all=whole)
        disk = _("{free} free on disk").format(free=words.size(computer.disk_free))
        st.markdown(" · ".join([cores, gpu, memory, disk]))
        if not computer.gpus:
            st.caption(
                _(
                    "That is enough: a quick training takes seconds to minutes on a processor. A graphics card only makes it faster."
                )
            )
        if computer.problems:
            count = len(computer.problems)
            with st.expander(ngettext("{count} hint", "{count} hints", count).format(count=count), icon=":material/lightbulb:"):
                draw_problems(computer)


def draw_problems(computer: Computer) -> None:
    """Draw what stands in the way, each with what to do."""
    for problem in computer.problems:
        st.warning(f"{words.plain(problem.message)}\n\n{words.plain(problem.fix)}", icon=":material/warning:")
