from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from node_agent.callbacks.agent import AgentSocket, Patience
from node_agent.callbacks.errors import AgentProtocolError, AgentUnreachable, SwarmRefused
from node_agent.callbacks.instructions import Evaluate, Stop, Wait
from tests.callbacks.stand_in import RUN, Line, StandInAgent, stop

LOG = logging.getLogger("test")
SHORT = Patience(unreachable_s=0.5, silence_s=0.3, refused_s=0.2, retry_s=0.02)


def agent_socket(path: Path, patience: Patience = SHORT) -> AgentSocket:
    return AgentSocket(path, {"protocol": 1, "pid": 1}, LOG, patience)


def test_the_agents_lines_arrive_typed(socket_path: Path) -> None:
    def script(line: Line) -> None:
        line.welcome(round=4)
        line.hear()
        line.tell({"do": "wait", "message": "1 of 3 nodes has committed"})
        paths = {"base": "/b", "merged": "/m", "gradient": None}
        line.tell({"do": "evaluate", "points": [[0.5, 1]], **paths})

    with StandInAgent(socket_path, script):
        agent = agent_socket(socket_path)
        welcome = agent.open()
        assert (welcome.run, welcome.round, welcome.validation) == (RUN, 4, None)
        agent.say({"op": "begin", "schema": {}})
        assert agent.hear() == Wait("1 of 3 nodes has committed")
        assert agent.hear() == Evaluate(Path("/b"), Path("/m"), ((0.5, 1.0),), None)
        agent.close()


def test_a_restarted_agent_gets_hello_and_the_last_request_again(socket_path: Path) -> None:
    def dies_in_the_middle(line: Line) -> None:
        line.welcome()
        line.hear()
        line.tell({"do": "write", "path": "/u", "metadata": {}})

    def resumes(line: Line) -> None:
        line.welcome()
        line.hear()
        line.tell(stop(None))

    request = {"op": "sync", "base": "00", "samples": 128}
    with StandInAgent(socket_path, dies_in_the_middle, resumes) as stand_in:
        agent = agent_socket(socket_path)
        agent.open()
        agent.say(request)
        agent.hear()
        assert isinstance(agent.hear(), Stop)
        agent.close()
    assert stand_in.operations == ["hello", "sync", "hello", "sync"]
    assert stand_in.heard[1] == stand_in.heard[3] == request


def test_an_answer_to_an_agent_that_has_gone_is_not_repeated(socket_path: Path) -> None:
    gone = threading.Event()

    def dies_at_once(line: Line) -> None:
        line.welcome()
        line.hear()
        line.tell({"do": "write", "path": "/u", "metadata": {}})

    def resumes(line: Line) -> None:
        gone.set()
        line.welcome()
        line.hear()

    with StandInAgent(socket_path, dies_at_once, resumes) as stand_in:
        agent = agent_socket(socket_path)
        agent.open()
        agent.say({"op": "sync"})
        agent.hear()
        deadline_s = time.monotonic() + 5
        while agent.answer({"op": "written"}):  # the first may still fit into the socket
            assert time.monotonic() < deadline_s
        assert gone.wait(5)
        agent.close()
    assert stand_in.operations[-2:] == ["hello", "sync"]


def test_an_agent_that_starts_later_is_waited_for(socket_path: Path) -> None:
    agent = agent_socket(socket_path, Patience(unreachable_s=10, retry_s=0.01))
    stand_in = StandInAgent(socket_path, lambda line: line.welcome())
    starting = threading.Timer(0.2, stand_in.__enter__)
    starting.start()
    assert agent.open().name == "breast-cancer"
    starting.join()
    stand_in.__exit__()
    agent.close()


def test_waiting_for_an_agent_ends(socket_path: Path) -> None:
    started_s = time.monotonic()
    with pytest.raises(AgentUnreachable, match="no node agent at") as unreachable:
        agent_socket(socket_path).open()
    assert 0.5 <= time.monotonic() - started_s < 3
    assert "SWARM_AGENT_SOCKET" in unreachable.value.hint


def test_an_agent_that_dies_at_every_request_is_not_waited_for_forever(socket_path: Path) -> None:
    def dies(line: Line) -> None:
        line.welcome()
        line.hear()

    with StandInAgent(socket_path, *[dies] * 1000):
        agent = agent_socket(socket_path)
        agent.open()
        agent.say({"op": "sync"})
        with pytest.raises(AgentUnreachable):
            agent.hear()


def test_an_agent_that_says_nothing_is_asked_again(socket_path: Path) -> None:
    asked_again = threading.Event()

    def hangs(line: Line) -> None:
        line.welcome()
        line.hear()
        asked_again.wait(5)

    def answers(line: Line) -> None:
        line.welcome()
        line.hear()
        line.tell(stop(None))

    with StandInAgent(socket_path, hangs, answers) as stand_in:
        agent = agent_socket(socket_path, Patience(unreachable_s=5, silence_s=0.2, retry_s=0.02))
        threading.Timer(0.4, asked_again.set).start()
        agent.open()
        agent.say({"op": "sync"})
        assert isinstance(agent.hear(), Stop)
        agent.close()
    assert stand_in.operations == ["hello", "sync", "hello", "sync"]


def test_a_refusal_carries_the_agents_hint(socket_path: Path) -> None:
    def refuses(line: Line) -> None:
        line.hear()
        line.tell({"do": "refuse", "error": "connected already", "hint": "Stop the other one."})

    with StandInAgent(socket_path, refuses):
        with pytest.raises(SwarmRefused, match="connected already") as refused:
            agent_socket(socket_path).open()
        assert refused.value.hint == "Stop the other one."


def test_being_taken_for_a_second_process_after_a_loss_is_sat_out(socket_path: Path) -> None:
    def dies(line: Line) -> None:
        line.welcome()
        line.hear()

    def has_not_noticed(line: Line) -> None:
        line.hear()
        line.tell({"do": "refuse", "error": "connected already", "hint": ""})

    def resumes(line: Line) -> None:
        line.welcome()
        line.hear()
        line.tell(stop(None))

    with StandInAgent(socket_path, dies, has_not_noticed, resumes):
        agent = agent_socket(socket_path, Patience(unreachable_s=5, retry_s=0.02))
        agent.open()
        agent.say({"op": "sync"})
        assert isinstance(agent.hear(), Stop)
        agent.close()


def test_an_agent_that_comes_back_with_another_run_is_refused(socket_path: Path) -> None:
    def dies(line: Line) -> None:
        line.welcome()
        line.hear()

    other = [lambda line: line.welcome(run="0x" + "cd" * 32, name="other")] * 100
    with StandInAgent(socket_path, dies, *other):
        agent = agent_socket(socket_path)
        agent.open()
        agent.say({"op": "sync"})
        with pytest.raises(SwarmRefused, match="another run: other"):
            agent.hear()


@pytest.mark.parametrize(
    "line",
    [b"no json\n", b"[]\n", b'{"do":"dance"}\n', b'{"do":"load"}\n', b'{"do":"wait"}\n', b"\xff\n"],
)
def test_a_line_that_makes_no_sense_is_quoted(socket_path: Path, line: bytes) -> None:
    def raves(connection: Line) -> None:
        connection.welcome()
        connection.hear()
        connection.tell_bytes(line)

    with StandInAgent(socket_path, raves):
        agent = agent_socket(socket_path)
        agent.open()
        agent.say({"op": "sync"})
        with pytest.raises(AgentProtocolError, match="makes no sense") as error:
            agent.hear()
        assert "same version" in error.value.hint
        agent.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a listener as another user")
def test_the_agent_of_another_user_gets_nothing(socket_path: Path) -> None:
    socket_path.parent.chmod(0o777)
    listens = (
        "import os, socket, sys; os.setuid(65534);"
        "s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen();"
        "print('ready', flush=True); print(s.accept()[0].recv(100), flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", listens, str(socket_path)], stdout=subprocess.PIPE
    ) as stranger:
        assert stranger.stdout is not None
        assert stranger.stdout.readline() == b"ready\n"
        agent = agent_socket(socket_path)
        with pytest.raises(AgentUnreachable, match="runs as user 65534"):
            agent.open()
        agent.close()
        assert stranger.stdout.readline() == b"b''\n"
