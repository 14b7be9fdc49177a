"""Data: what scanning, looking and pages cost, from a thousand pictures to a hundred thousand.

    python -m benchmarks.data [--count 100000] [--folder FOLDER]

The pictures are generated (about 50 KB each, in 50 classes) and stay in FOLDER, if it is given, for the next time; 100,000 of them take
6 GB and ten minutes to make. Files are read once before anything is timed, so that they lie in the disk's cache.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks import pages
from benchmarks.figures import Report, own_home
from benchmarks.generated import file, generate
from benchmarks.quick import peak_anonymous
from transfer_core import preferences
from transfer_core.data.looking import fingerprints
from transfer_core.data.project import Project
from transfer_core.data.scan import scan
from transfer_core.images.decode import open_rgb
from transfer_core.images.fingerprint import NEED
from transfer_core.images.pixels import Source, decode_together
from transfer_core.processes import module_command, usable_cores
from transfer_core.runs import automatic

COUNT, FEW = 100_000, 1_000
DECODED = 4_000
SCAN_GOAL, AGAIN_GOAL, DECODE_GOAL, MEMORY_GOAL, PAGE_GOAL = 1.5, 5.0, 0.8, 150.0, 0.5
VIEWS = ("classes", "pictures", "export")  # the map is made by a job


def reading(files: Sequence[Path]) -> float:
    """Seconds of one thread that reads and hashes the files."""
    start = time.perf_counter()
    for each in files:
        with each.open("rb") as opened:
            hashlib.blake2b(opened.read(), digest_size=16).digest()
    return time.perf_counter() - start


def measure_scan(report: Report, project: Project, files: Sequence[Path]) -> None:
    """A first scan beside reading and hashing the same bytes, and a second one."""
    reading(files)
    bare = reading(files)
    start = time.perf_counter()
    scan(project)
    first = time.perf_counter() - start
    start = time.perf_counter()
    scan(project)
    report.add(f"first scan of {len(files):,} pictures", first, unit="s")
    report.add("first scan / one thread reading and hashing", first / bare, SCAN_GOAL)
    report.add("second scan", time.perf_counter() - start, AGAIN_GOAL, unit="s")


def measure_decoding(report: Report, project: Project, files: Sequence[Path]) -> None:
    """The look's decoding with all it does, beside nothing but decoding: the best of three alternating tries each."""
    cores = usable_cores()
    sources = [Source(hashlib.blake2b(str(each).encode(), digest_size=16).hexdigest(), each) for each in files]
    pure, whole = [], []
    for _try in range(3):
        start = time.perf_counter()
        with ThreadPoolExecutor(cores) as pool:
            for _image in pool.map(lambda each: open_rgb(each, need=NEED).size, files):
                pass
        pure.append(time.perf_counter() - start)
        store = fingerprints(project)
        shutil.rmtree(store.folder)
        start = time.perf_counter()
        decode_together([(fingerprints(project), sources)], cores)
        whole.append(time.perf_counter() - start)
    shutil.rmtree(store.folder)
    report.add("pure decoding, pictures a second", len(files) / min(pure))
    report.add("the look's decoding / pure decoding speed", min(pure) / min(whole), DECODE_GOAL, at_least=True)


def measure_memory(report: Report, counts: Sequence[int], folders: Sequence[Path]) -> list[Project]:
    """The most memory of the process that scans and looks, beyond mapped files, and what it takes; the projects that come of it."""
    peaks, projects = [], []
    for count, folder in zip(counts, folders, strict=True):
        project = Project.create(f"memory {count}", [folder])
        projects.append(project)
        start = time.perf_counter()
        peaks.append(peak_anonymous(module_command("transfer_core.data.scanning", project.folder), dict(os.environ)))
        report.add(f"scan and look at {count:,} pictures", time.perf_counter() - start, unit="s")
        report.add(f"memory of the process, {count:,} pictures", peaks[-1], unit="MB")
    report.add(f"memory from {counts[0]:,} to {counts[-1]:,} pictures", peaks[-1] - peaks[0], MEMORY_GOAL, unit="MB")
    return projects


def measure_pages(report: Report, home: Path, projects: Sequence[Project], counts: Sequence[int]) -> None:
    """What the page server needs, and how soon each view of the Data page stands, of a few and of many pictures, in a real browser."""
    chromium = pages.find_chromium()
    if chromium is None:
        return
    from playwright.sync_api import sync_playwright

    # What it trains beside would be measured, too.
    preferences.change(**{automatic.PREFERENCE: False})
    port = pages.free_port()
    server = pages.start_app(home, port)
    memory = []
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=pages.ARGUMENTS)
            page = browser.new_page()
            pages.wait_for(port)
            for project, count in zip(projects, counts, strict=True):
                for view in VIEWS:
                    address = f"http://localhost:{port}/Data?project={project.folder.name}&view={view}"
                    # The second time: the first is that of a server that was just started.
                    times = [pages.answer(page, partial(page.goto, address)) for _time in range(3)]
                    report.add(f"{view} of {count:,} pictures", min(times[1:]), PAGE_GOAL, unit="s")
                memory.append(pages.server_process(home).memory_info().rss / 2**20)
                report.add(f"page server's memory, {count:,} pictures", memory[-1], unit="MB")
            browser.close()
    finally:
        pages.stop(server)
    report.add(
        f"page server's memory from {counts[0]:,} to {counts[-1]:,} pictures", memory[-1] - memory[0], MEMORY_GOAL, unit="MB"
    )


def some_of(folder: Path, count: int, target: Path) -> Path:
    """The first `count` pictures, linked into a folder of their own."""
    for number in range(count):
        place = file(target, number)
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            os.link(file(folder, number), place)
    return target


def main(arguments: list[str] | None = None) -> Report:
    """Measure, and keep the results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--folder", type=Path, default=os.environ.get("TRANSFER_STUDIO_GENERATED"))
    options = parser.parse_args(arguments)
    report = Report("data")
    with (
        tempfile.TemporaryDirectory(dir=options.folder and options.folder.parent) as temporary,
        own_home(Path(temporary) / "home"),
    ):
        folder = generate(Path(options.folder or Path(temporary) / "pictures"), options.count)
        few = some_of(folder, min(FEW, options.count), Path(temporary) / "few")
        files = [file(folder, number) for number in range(options.count)]
        project = Project.create("generated", [folder])
        measure_scan(report, project, files)
        measure_decoding(report, project, files[:DECODED])
        counts = (min(FEW, options.count), options.count)
        projects = measure_memory(report, counts, (few, folder))
        measure_pages(report, Path(temporary) / "home", projects, counts)
    report.keep()
    return report


if __name__ == "__main__":
    main()
