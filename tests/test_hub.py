"""The hub of docs/hub/, from `make hub` to two accounts that run lesson 00 in it at once, each in a real browser.

It makes two accounts of this machine for as long as it runs, so it needs root. It tests what is committed.
"""

import os
import pwd
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import BrowserContext, Page
from support.chromium import needs_chromium
from support.jupyter import free_port

from tools.environment import ROOT
from tools.exercise_cells import answered, exercise_of, exercises_of

SYSTEM_PYTHON = "/usr/bin/python3"  # one that other accounts can run
START_S, LESSON_S, STOP_S = 120, 1200, 300
ARTIFACTS = ROOT / "tests" / "artifacts"
LESSON = "00_start_here"

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.browser,
    pytest.mark.timeout(3600),
    needs_chromium,
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can make accounts, on Linux"),
    pytest.mark.skipif(not all(map(shutil.which, ("npm", "git", "useradd"))), reason="no npm, git or useradd here"),
]


def environment() -> dict[str, str]:
    """That of a machine, without what tests and notebooks are run with."""
    ours = ("TL_", "OMP_", "MALLOC_", "PYTHON", "MAKE", "PYTEST")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def run(*command: str | Path, **options) -> subprocess.CompletedProcess:
    return subprocess.run(command, capture_output=True, text=True, env=environment(), **options)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A place that all accounts of the machine can reach."""
    place = Path(tempfile.mkdtemp(prefix="hub-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@pytest.fixture(scope="module")
def lessons(folder) -> Path:
    """The shared folder, set up as docs/hub/README.md says."""
    for name, ask in {
        "jupyterhub": [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", folder, "jupyterhub"],
        "configurable-http-proxy": ["npm", "view", "configurable-http-proxy", "version"],
    }.items():
        if run(*ask).returncode != 0:
            pytest.skip(f"{name} cannot be had here")
    ARTIFACTS.mkdir(exist_ok=True)
    shared = folder / "transfer-learning"
    # Not with the same files as here, whose times change with each commit.
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, shared], check=True)
    done = run("make", "hub", f"PYTHON={SYSTEM_PYTHON}", cwd=shared)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return shared


@dataclass
class Account:
    name: str
    password: str

    @property
    def home(self) -> Path:
        return Path(pwd.getpwnam(self.name).pw_dir)

    def run(self, *command: str | Path) -> subprocess.CompletedProcess:
        own = (f"HOME={self.home}", f"USER={self.name}", f"LOGNAME={self.name}")
        return run("runuser", "-u", self.name, "--", "env", *own, *command, cwd="/")


@contextmanager
def new_account(*home: str) -> Iterator[Account]:
    """An account of the group, for as long as the context lasts; `home` are useradd's options about it."""
    account = Account(f"hub-{secrets.token_hex(3)}", secrets.token_hex(16))
    run("groupadd", "--force", "learners", check=True)
    run("useradd", *home, "--groups", "learners", account.name, check=True)
    try:
        run("chpasswd", input=f"{account.name}:{account.password}\n", check=True)
        yield account
    finally:
        run("userdel", "--force", "--remove", account.name)


@pytest.fixture(scope="module")
def accounts() -> Iterator[tuple[Account, Account]]:
    """Two accounts, made as docs/hub/README.md says and removed afterwards."""
    home = ("--create-home", "--key", "HOME_MODE=0700")
    with new_account(*home) as one, new_account(*home) as other:
        yield one, other


@dataclass
class Hub:
    address: str
    git: str
    log: Path
    config: Path


def start_command(config: Path) -> list[str]:
    return [f"{config.parents[2]}/.venv-hub/bin/jupyterhub", "--config", str(config)]


@contextmanager
def running(config: Path, state: Path, **constants: str | int | None) -> Iterator[Hub]:
    """A hub with free ports and other constants, written into a copy of its configuration as its reader would."""
    constants |= {"PORT": free_port(), "GIT_PORT": free_port()}
    text = config.read_text()
    for name, value in constants.items():
        text, found = re.subn(rf"^{name} = \S+", f"{name} = {value!r}", text, flags=re.MULTILINE)
        assert found == 1, name
    text = text.replace('f"http://:{PORT}"', 'f"http://127.0.0.1:{PORT}"')
    text += (
        f"c.JupyterHub.hub_port, c.ConfigurableHTTPProxy.api_url = {free_port()}, 'http://127.0.0.1:{free_port()}'\n"
    )
    copy = config.with_name(f"{state.name}.py")
    copy.write_text(text)
    addresses = (f"http://127.0.0.1:{constants['PORT']}", f"git://127.0.0.1:{constants['GIT_PORT']}")
    found = Hub(*addresses, state / "hub.log", copy)
    state.mkdir()
    with found.log.open("w") as log:
        process = subprocess.Popen(start_command(copy), cwd=state, env=environment(), stdout=log, stderr=log)
    try:
        end = time.monotonic() + START_S
        while not answers(f"{found.address}/hub/api"):
            assert process.poll() is None and time.monotonic() < end, found.log.read_text()[-3000:]
            time.sleep(0.5)
        yield found
    finally:
        process.terminate()
        process.wait(STOP_S)


@pytest.fixture(scope="module")
def config(lessons) -> Path:
    return lessons / "docs" / "hub" / "jupyterhub_config.py"


@pytest.fixture(scope="module")
def hub(config, folder, accounts) -> Iterator[Hub]:
    with running(config, folder / "state") as found:
        yield found


def answers(address: str) -> bool:
    try:
        return urllib.request.urlopen(address).status == 200
    except urllib.error.URLError:
        return False


# --- What the accounts do


def link(hub: Hub) -> str:
    """The one that a teacher gives to the class."""
    repo = f"{hub.git}/transfer-learning".replace(":", "%3A").replace("/", "%2F")
    place = f"lab%2Ftree%2Ftransfer-learning%2F{LESSON}.ipynb"
    return f"{hub.address}/hub/user-redirect/git-pull?repo={repo}&branch=notebooks&urlpath={place}"


def log_in(page: Page, account: Account) -> None:
    page.locator("#username_input").fill(account.name)
    page.locator("#password_input").fill(account.password)
    page.locator("#login_submit").click()


def open_lesson(page: Page, hub: Hub, account: Account) -> None:
    """Follows the link, logs in, and waits for the lesson."""
    page.goto(link(hub))
    log_in(page, account)
    page.locator(".jp-Notebook").wait_for()


def choose(page: Page, menu: str, item: str) -> None:
    page.locator(".lm-MenuBar").get_by_role("menuitem", name=menu, exact=True).click()
    page.locator(".lm-Menu").get_by_role("menuitem", name=item).first.click()


def wait_until(met: Callable[[], bool], limit_s: float, what: str) -> None:
    end = time.monotonic() + limit_s
    while not met():
        assert time.monotonic() < end, what
        time.sleep(2)


def kernel_is_ready(page: Page, hub: Hub, account: Account) -> bool:
    kernels = page.request.get(f"{hub.address}/user/{account.name}/api/kernels").json()
    return [kernel["execution_state"] for kernel in kernels] == ["idle"]


def saved_code(page: Page, account: Account) -> list[nbformat.NotebookNode]:
    """The code cells as the account has them on its disk, just saved; none while they are being written."""
    choose(page, "File", "Save Notebook")
    page.wait_for_timeout(2000)
    try:
        notebook = nbformat.read(account.home / "transfer-learning" / f"{LESSON}.ipynb", as_version=4)
    except nbformat.reader.NotJSONError:
        return []
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def state_of(lessons: Path) -> dict[Path, tuple[int, int]]:
    """Size and time of every file, links not followed."""
    files = {path: path.lstat() for path in lessons.rglob("*")}
    return {path: (status.st_size, status.st_mtime_ns) for path, status in files.items()}


@dataclass
class Class:
    """Both accounts after the lesson: their browsers, their notebooks, and the shared folder before and after."""

    browsers: dict[str, BrowserContext]
    code: dict[str, list[nbformat.NotebookNode]]
    shared_before: dict[Path, tuple[int, int]]
    shared_after: dict[Path, tuple[int, int]]


@pytest.fixture(scope="module")
def finished(hub, lessons, accounts, browser) -> Class:
    """Both accounts have pulled the lessons, run lesson 00 at once and saved it."""
    before = state_of(lessons)
    contexts = {account.name: browser.new_context() for account in accounts}
    pages = {name: context.new_page() for name, context in contexts.items()}
    for account in accounts:
        page = pages[account.name]
        page.set_default_timeout(1000 * START_S)
        open_lesson(page, hub, account)
        wait_until(partial(kernel_is_ready, page, hub, account), START_S, "the kernel did not start")
        choose(page, "Edit", "Clear Outputs of All Cells")
    for page in pages.values():
        choose(page, "Run", "Run All Cells")
    code = {}
    for account in accounts:
        page = pages[account.name]

        def has_finished(account: Account = account, page: Page = page) -> bool:
            code[account.name] = saved_code(page, account)
            cells = code[account.name]
            failed = any(output.output_type == "error" for cell in cells for output in cell.outputs)
            return failed or (bool(cells) and all(cell.execution_count for cell in cells))

        wait_until(has_finished, LESSON_S, "the lesson did not end")
        page.screenshot(path=ARTIFACTS / f"hub-{len(code)}.png")
    return Class(contexts, code, before, state_of(lessons))


# --- What holds then


def test_both_accounts_finished_the_lesson(finished):
    for code in finished.code.values():
        outputs = [output for cell in code for output in cell.outputs]
        assert len(outputs) > 10
        assert [output.evalue for output in outputs if output.output_type == "error"] == []


def test_the_lesson_says_that_an_account_has_one_thread(finished):
    for code in finished.code.values():
        (machine,) = [line for line in code[0].outputs[0].text.splitlines() if "  machine  " in line]
        assert re.search(r"\b1 thread\b", machine)


def test_nothing_was_written_into_the_shared_folder(finished):
    assert finished.shared_after == finished.shared_before


def test_no_account_could_have_written_there(lessons, accounts):
    for account in accounts:
        assert account.run("find", lessons, "!", "-type", "l", "-writable").stdout == ""


def test_what_a_lesson_imports_is_compiled(lessons, accounts):
    """An account cannot keep what its Python compiles: each start would take ten seconds longer."""
    imported = (
        "import sys, helpers.features, helpers.check_env, helpers.plots, helpers.widgets, ipykernel.kernelapp, timm\n"
        "from pathlib import Path\n"
        "compiled = [getattr(module, '__cached__', None) for module in sys.modules.values()]\n"
        "compiled = [path for path in compiled if isinstance(path, str)]  # torch has modules that answer anything\n"
        "print(len(compiled), [path for path in compiled if not Path(path).exists()])"
    )
    done = accounts[0].run(lessons / ".venv/bin/python", "-c", imported)
    count, _, missing = done.stdout.partition(" ")
    assert int(count) > 1000, done.stderr
    assert missing.strip() == "[]"


def test_no_account_reads_another_ones_work(finished, hub, accounts):
    reader, writer = accounts
    work = writer.home / "transfer-learning" / f"{LESSON}.ipynb"
    assert work.is_file()
    assert "Permission denied" in reader.run("cat", work).stderr
    asked = finished.browsers[reader.name].request.get(f"{hub.address}/user/{writer.name}/api/contents")
    assert asked.status in (403, 404)


def test_who_is_not_in_the_group_does_not_get_in(hub, accounts, browser):
    outsider = accounts[0]
    run("gpasswd", "--delete", outsider.name, "learners", check=True)
    try:
        page = browser.new_context().new_page()
        page.goto(f"{hub.address}/hub/login")
        log_in(page, outsider)
        page.get_by_text("Invalid username or password").wait_for()
    finally:
        run("gpasswd", "--add", outsider.name, "learners", check=True)


# --- What stops a hub, in one line


def refusal(config: Path, folder: Path) -> str:
    """The last line of a hub that does not start."""
    done = run(*start_command(config), cwd=folder, timeout=START_S)
    assert done.returncode != 0
    return done.stderr.strip().splitlines()[-1]


def test_a_shared_folder_that_others_can_write(lessons, config, tmp_path):
    (lessons / "data").chmod(0o777)
    try:
        assert refusal(config, tmp_path).endswith(f"can be written by others than root: chmod -R go-w {lessons}")
    finally:
        (lessons / "data").chmod(0o755)


def test_a_folder_that_accounts_cannot_reach(config, folder, tmp_path):
    folder.chmod(0o700)
    try:
        said = refusal(config, tmp_path)
    finally:
        folder.chmod(0o755)
    assert f"{folder} is closed to them" in said and "make hub PYTHON=" in said


def test_a_port_in_use(hub, tmp_path):
    assert "Address already in use. Stop what uses it (ss -ltnp), or change PORT" in refusal(hub.config, tmp_path)


def test_an_account_without_a_home(hub, browser):
    with new_account("--no-create-home", "--home-dir", "/nowhere") as homeless:
        page = browser.new_context().new_page()
        page.set_default_timeout(1000 * START_S)
        page.goto(f"{hub.address}/hub/spawn")
        log_in(page, homeless)
        page.get_by_text(f"{homeless.name} has no home /nowhere: mkhomedir_helper {homeless.name}").first.wait_for()


def test_a_hub_without_limits_warns_at_each_start_of_a_server(config, folder, accounts, browser):
    with running(config, folder / "unlimited", MEMORY=None) as hub:
        page = browser.new_context().new_page()
        page.set_default_timeout(1000 * START_S)
        page.goto(f"{hub.address}/hub/spawn")
        log_in(page, accounts[0])
        page.locator("#jp-main-dock-panel").wait_for()  # with or without a lesson that was open before
        assert f"{accounts[0].name} has no memory limit" in hub.log.read_text()


# --- nbgrader, from a teacher's account to a learner's and back

GRADES = """\
from nbgrader.api import Gradebook
with Gradebook("sqlite:///gradebook.db") as book:
    (submission,) = book.assignment_submissions("00_start_here")
    for grade in submission.notebooks[0].grades:
        print(submission.student.id, grade.name, grade.score, grade.max_score)
"""


@dataclass
class Marked:
    grades: dict[str, str]
    feedback: Path


@pytest.fixture(scope="module")
def marked(lessons, folder, accounts) -> Marked:
    """A lesson that went from the teacher through the exchange to a learner, who answered q1 rightly and q2 wrongly."""
    done = run("make", "nbgrader", f"PYTHON={SYSTEM_PYTHON}", cwd=lessons)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    teacher, learner = accounts
    exchange = folder / "exchange"
    exchange.mkdir()
    exchange.chmod(0o777)

    def nbgrader(account: Account, where: Path, command: str) -> None:
        tool = lessons / ".venv-nbgrader" / "bin"
        line = f"cd {where} && PATH={tool}:$PATH nbgrader {command} {LESSON} --Exchange.root={exchange}"
        done = account.run("sh", "-c", line)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    course = teacher.home / "course"
    teacher.run("cp", "-r", lessons / "build" / "nbgrader", course).check_returncode()
    nbgrader(teacher, course, "generate_assignment")
    nbgrader(teacher, course, "release_assignment")

    nbgrader(learner, learner.home, "fetch_assignment --course=transfer-learning")
    path = learner.home / LESSON / f"{LESSON}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    (right,) = (exercise.answer for exercise in exercises_of(path) if exercise.name == "q1")
    answers = {"q1": right, "q2": "def share_right(predicted, labels):\n    return 0.25"}
    for cell in notebook.cells:
        if (name := exercise_of(cell)) in answers:
            cell.source = answered(cell.source, answers[name])
    nbformat.write(notebook, path)
    nbgrader(learner, learner.home, "submit --course=transfer-learning")

    nbgrader(teacher, course, "collect")
    nbgrader(teacher, course, "autograde")
    nbgrader(teacher, course, "generate_feedback")
    nbgrader(teacher, course, "release_feedback")
    nbgrader(learner, learner.home, "fetch_feedback --course=transfer-learning")

    (feedback,) = (learner.home / LESSON / "feedback").rglob("*.html")
    python = lessons / ".venv-nbgrader" / "bin" / "python"
    listed = teacher.run("sh", "-c", f"cd {course} && {python} -c '{GRADES}'")
    rows = [line.split() for line in listed.stdout.splitlines()]
    assert {row[0] for row in rows} == {learner.name}, listed.stderr
    return Marked({name: f"{score} of {most}" for _, name, score, most in rows}, feedback)


def test_the_right_answer_has_its_point_and_the_wrong_one_none(marked):
    assert marked.grades["q1-test"] == "1.0 of 1.0"
    assert marked.grades["q2-test"] == "0.0 of 1.0"
    assert marked.grades["q5-by-hand"] == "0.0 of 6.0"


def test_the_learner_reads_why_in_one_line(marked, browser):
    page = browser.new_context().new_page()
    page.goto(marked.feedback.as_uri(), wait_until="domcontentloaded")
    page.screenshot(path=ARTIFACTS / "nbgrader-feedback.png", full_page=True)
    words = page.locator("body").inner_text()
    assert "q2: not yet. It returns the share that is wrong." in words
    assert "NoPoint: no point for q2, for the reason above." in words
    assert "Traceback" not in words and "AssertionError" not in words
