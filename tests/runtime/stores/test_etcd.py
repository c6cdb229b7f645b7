"""The store in a real etcd: killed, stopped, behind a network that loses answers, with TLS."""

from __future__ import annotations

import json
import signal
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.lab import requires_real
from tests.runtime.monitors.support import serving, trickling
from tests.runtime.stores.etcd_server import Member, cluster, etcd, free_ports
from tests.runtime.stores.proxy import Behaviour, proxy
from tests.runtime.stores.support import increment, value_of, version_of
from threerc.runtime.config import Etcd
from threerc.runtime.errors import Conflict, StoreLost
from threerc.runtime.stores import etcd as etcd_store
from threerc.runtime.stores import gateway
from threerc.runtime.stores.etcd import EtcdStore
from threerc.runtime.threads import together

pytestmark = requires_real()

HERE = "alfa01 2008-12-14/04:31:01 1"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Member]:
    """An etcd that the test may kill."""
    with etcd(tmp_path) as member:
        yield member


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores that give up soon, for tests in which something hangs."""
    monkeypatch.setattr(gateway, "_ANSWER", 0.5)


def store_at(folder: Path, *endpoints: str, **settings: Any) -> EtcdStore:
    return EtcdStore(Etcd(endpoints=endpoints, **settings), folder)


def raw(member: Member, key: str) -> dict[str, Any]:
    """A key as etcd has it."""
    answer = member.ask("kv/range", {"key": b64encode(key.encode()).decode()})
    found: dict[str, Any] = answer["kvs"][0]
    return found


def dead_endpoint() -> str:
    return f"http://127.0.0.1:{free_ports(1)[0]}"


class TestKeys:
    def test_they_are_where_people_look_for_them(
        self, server: Member, tmp_path: Path, etcd_prefix: str
    ) -> None:
        store = store_at(tmp_path, server.url, prefix=etcd_prefix)
        store.put("vm/gridce", {"host": "alfa01"}, 0)
        store.publish("gridce", HERE)
        value = json.loads(b64decode(raw(server, f"{etcd_prefix}/state/vm/gridce")["value"]))
        assert value["value"] == {"host": "alfa01"}
        assert b64decode(raw(server, f"{etcd_prefix}/vm/gridce")["value"]) == HERE.encode()

    def test_long_lists_come_in_pages(
        self, server: Member, tmp_path: Path, etcd_prefix: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(etcd_store, "_PAGE", 3)
        store = store_at(tmp_path, server.url, prefix=etcd_prefix)
        for number in range(8):
            store.put(f"vm/vm{number}", {"n": number}, 0)
        store.delete("vm/vm3", version_of(store, "vm/vm3"))
        listed = store.list("vm/")
        assert [each.value["n"] for each in listed.values()] == [0, 1, 2, 4, 5, 6, 7]

    def test_a_value_that_is_none_is_named(
        self, server: Member, tmp_path: Path, etcd_prefix: str
    ) -> None:
        key = f"{etcd_prefix}/state/vm/gridce"
        server.ask("kv/put", {"key": b64encode(key.encode()).decode(), "value": "e30x"})
        store = store_at(tmp_path, server.url, prefix=etcd_prefix)
        store.put("vm/other", {"n": 2}, 0)
        found, listed = store.get("vm/gridce"), store.list("vm/")
        assert found is not None
        assert (found.damage, found.value) == (f"etcd: {key} is no JSON object", {"text": "{}1"})
        assert listed["vm/gridce"] == found
        assert listed["vm/other"].value == {"n": 2}
        store.put("vm/gridce", {"n": 3}, found.version)
        assert value_of(store, "vm/gridce") == {"n": 3}

    def test_what_is_too_much_for_etcd_is_told(
        self, server: Member, tmp_path: Path, etcd_prefix: str
    ) -> None:
        store = store_at(tmp_path, server.url, prefix=etcd_prefix)
        with pytest.raises(StoreLost, match="too large"):
            store.put("vm/gridce", {"x": "x" * 2_000_000}, 0)

    def test_a_missing_log_folder_is_told(
        self, server: Member, tmp_path: Path, etcd_prefix: str
    ) -> None:
        store = store_at(tmp_path / "missing", server.url, prefix=etcd_prefix)
        with pytest.raises(StoreLost, match="missing"):
            store.log(["x"], [])


class TestLeases:
    def test_what_a_controller_notes_for_itself_vanishes_with_it(
        self, own: Member, tmp_path: Path
    ) -> None:
        store = store_at(tmp_path, own.url)
        first = store.put("seen/bibe", {"tick": 1}, 0)
        second = store.put("seen/bibe", {"tick": 2}, first)
        other = store.put("seen/bussolo", {"tick": 2}, 0)
        lease = raw(own, "/3rc/state/seen/bibe")["lease"]
        assert len(own.ask("lease/leases", {})["leases"]) == 2
        assert int(own.ask("lease/timetolive", {"ID": lease})["grantedTTL"]) == 86400
        own.ask("lease/revoke", {"ID": lease})
        assert store.get("seen/bibe") is None
        with pytest.raises(Conflict):
            store.put("seen/bibe", {"tick": 3}, second)
        assert version_of(store, "seen/bussolo") == other
        assert store.put("seen/bibe", {"tick": 3}, 0) > second

    def test_all_else_stays(self, own: Member, tmp_path: Path) -> None:
        store = store_at(tmp_path, own.url)
        for key in ("vm/gridce", "paused/*", "brake"):
            store.put(key, {}, 0)
            assert "lease" not in raw(own, f"/3rc/state/{key}")


class TestAServerThatDies:
    def test_killed_it_is_told_and_started_again_it_has_it_all(
        self, own: Member, tmp_path: Path
    ) -> None:
        store = store_at(tmp_path, own.url)
        version = store.put("vm/gridce", {"n": 1}, 0)
        store.publish("gridce", HERE)
        own.kill()
        for call in (
            lambda: store.get("vm/gridce"),
            lambda: store.list("vm/"),
            lambda: store.put("vm/gridce", {"n": 2}, version),
            lambda: store.delete("vm/gridce", version),
            lambda: store.publish("gridce", "x"),
            lambda: store.published("gridce"),
        ):
            with pytest.raises(StoreLost, match=own.url) as lost:
                call()
            assert "\n" not in str(lost.value)
        store.log(["still"], [])
        own.start()
        own.wait()
        assert value_of(store, "vm/gridce") == {"n": 1}
        assert store.published("gridce") == HERE
        assert store.put("vm/gridce", {"n": 2}, version) > version

    def test_the_next_endpoint_answers(
        self, server: Member, tmp_path: Path, etcd_prefix: str
    ) -> None:
        store = store_at(tmp_path, dead_endpoint(), server.url, prefix=etcd_prefix)
        version = store.put("vm/gridce", {"n": 1}, 0)
        # An endpoint that is dead has done nothing: that is no doubt.
        store = store_at(tmp_path, dead_endpoint(), server.url, prefix=etcd_prefix)
        with pytest.raises(Conflict):
            store.put("vm/gridce", {"n": 2}, version + 1)
        assert value_of(store, "vm/gridce") == {"n": 1}

    @pytest.mark.usefixtures("impatient")
    def test_stopped_it_is_told_and_going_on_nothing_is_done_twice(
        self, own: Member, tmp_path: Path
    ) -> None:
        store = store_at(tmp_path, own.url)
        version = store.put("vm/gridce", {"count": 1}, 0)
        assert own.process is not None
        own.process.send_signal(signal.SIGSTOP)
        with pytest.raises(StoreLost, match=own.url):
            store.put("vm/gridce", {"count": 2}, version)
        own.process.send_signal(signal.SIGCONT)
        own.wait()
        before = value_of(store, "vm/gridce")
        assert before in ({"count": 1}, {"count": 2})
        increment(store, "vm/gridce")
        assert before is not None
        assert value_of(store, "vm/gridce") == {"count": before["count"] + 1}

    @pytest.mark.usefixtures("impatient")
    def test_one_that_drips_is_left_for_the_next_one(
        self, server: Member, tmp_path: Path, etcd_prefix: str
    ) -> None:
        with serving(trickling(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 90)) as port:
            drips = f"http://127.0.0.1:{port}"
            store = store_at(tmp_path, drips, server.url, prefix=etcd_prefix)
            assert store.put("vm/gridce", {"n": 1}, 0)
            with pytest.raises(StoreLost, match=r"no whole answer within 0\.5 s"):
                store_at(tmp_path, drips).get("vm/gridce")

    def test_its_password_in_the_address_is_not_told(self, tmp_path: Path) -> None:
        store = store_at(tmp_path, dead_endpoint().replace("//", "//root:SECRET@"))
        with pytest.raises(StoreLost, match=r"http://127\.0\.0\.1:") as lost:
            store.get("vm/gridce")
        assert "SECRET" not in str(lost.value)
        assert "root" not in str(lost.value)

    def test_one_that_has_hung_up_in_between_is_asked_anew(
        self, own: Member, tmp_path: Path
    ) -> None:
        store = store_at(tmp_path, own.url)
        version = store.put("vm/gridce", {"n": 1}, 0)
        own.kill()
        own.start()
        own.wait()
        assert store.put("vm/gridce", {"n": 2}, version) > version

    @pytest.mark.usefixtures("impatient")
    def test_of_three_one_may_die_but_not_two(self, tmp_path: Path) -> None:
        with cluster(tmp_path, 3) as members:
            store = store_at(tmp_path, *(member.url for member in members))
            version = store.put("vm/gridce", {"count": 0}, 0)
            for member in leaders_first(members)[:1]:
                member.kill()
            version = insist(store, version, {"count": 1})
            assert value_of(store, "vm/gridce") == {"count": 1}
            leaders_first([member for member in members if is_alive(member)])[0].kill()
            for call in (
                lambda: store.get("vm/gridce"),
                lambda: store.put("vm/gridce", {"count": 2}, version),
            ):
                with pytest.raises(StoreLost):
                    call()


def is_alive(member: Member) -> bool:
    return member.process is not None and member.process.poll() is None


def leaders_first(members: list[Member]) -> list[Member]:
    status = {member.url: member.ask("maintenance/status", {}) for member in members}
    leads = {url: each["leader"] == each["header"]["member_id"] for url, each in status.items()}
    return sorted(members, key=lambda member: not leads[member.url])


def insist(store: EtcdStore, version: int, value: dict[str, Any]) -> int:
    """Write until it is written; while a leader is chosen, whether it is may be in doubt."""
    while True:
        try:
            return store.put("vm/gridce", value, version)
        except StoreLost:
            continue
        except Conflict:
            found = store.get("vm/gridce")
            assert found is not None
            assert found.value == value
            return found.version


class TestAnswersThatGetLost:
    @pytest.mark.parametrize("times", [1, 2])
    def test_what_was_done_is_known_by_asking_again(
        self, server: Member, tmp_path: Path, etcd_prefix: str, times: int
    ) -> None:
        lost: list[bytes] = []
        with ExitStack() as stack:
            urls = [
                stack.enter_context(proxy(losing(server, lambda body: done(server, body, lost))))
                for _ in range(times)
            ]

            def new_store() -> EtcdStore:  # which asks the first endpoint first
                return store_at(tmp_path, *urls, server.url, prefix=etcd_prefix)

            version = new_store().put("vm/gridce", {"n": 1}, 0)
            assert version_of(new_store(), "vm/gridce") == version
            new_store().delete("vm/gridce", version)
            assert new_store().get("vm/gridce") is None
        assert len(lost) == 2 * times
        assert raw(server, f"{etcd_prefix}/state/vm/gridce")["version"] == "2"

    def test_without_anybody_to_ask_it_is_never_said_to_be_done(
        self, server: Member, tmp_path: Path, etcd_prefix: str
    ) -> None:
        direct = store_at(tmp_path, server.url, prefix=etcd_prefix)
        version = direct.put("vm/gridce", {"n": 1}, 0)
        with proxy(losing(server, lambda body: done(server, body, []))) as url:
            store = store_at(tmp_path, url, prefix=etcd_prefix)
            with pytest.raises(StoreLost, match=url):
                store.put("vm/gridce", {"n": 2}, version)
        assert value_of(direct, "vm/gridce") == {"n": 2}

    def test_overwritten_before_it_could_be_asked_it_stays_unknown(
        self, server: Member, tmp_path: Path, etcd_prefix: str
    ) -> None:
        direct = store_at(tmp_path, server.url, prefix=etcd_prefix)
        version = direct.put("vm/gridce", {"n": 1}, 0)

        def done_and_overwritten(body: bytes) -> None:
            done(server, body, [])
            direct.put("vm/gridce", {"n": 3}, version_of(direct, "vm/gridce"))

        with proxy(losing(server, done_and_overwritten)) as url:
            store = store_at(tmp_path, url, server.url, prefix=etcd_prefix)
            with pytest.raises(StoreLost, match="not known"):
                store.put("vm/gridce", {"n": 2}, version)
        assert value_of(direct, "vm/gridce") == {"n": 3}

    def test_a_request_that_was_held_up_brings_nothing_back(
        self, server: Member, tmp_path: Path, etcd_prefix: str
    ) -> None:
        held: list[bytes] = []
        with proxy(losing(server, held.append)) as url:
            store = store_at(tmp_path, url, server.url, prefix=etcd_prefix)
            store.put("paused/*", {"why": "a"}, 0)
            store.delete("paused/*", version_of(store, "paused/*"))
        (body,) = held
        done(server, body, [])
        assert store_at(tmp_path, server.url, prefix=etcd_prefix).get("paused/*") is None

    def test_an_answer_that_is_none_is_no_answer(
        self, server: Member, tmp_path: Path, etcd_prefix: str
    ) -> None:
        with proxy(lambda _method, _body: b"<html>") as url:
            store = store_at(tmp_path, url, server.url, prefix=etcd_prefix)
            assert store.put("vm/gridce", {"n": 1}, 0)
            with pytest.raises(StoreLost, match=url):
                store_at(tmp_path, url, prefix=etcd_prefix).get("vm/gridce")


def losing(server: Member, transaction: Callable[[bytes], object]) -> Behaviour:
    """Pass everything on but transactions, to which there is no answer."""

    def behave(method: str, body: bytes) -> bytes | None:
        if method == "kv/txn":
            transaction(body)
            return None
        return json.dumps(server.ask(method, json.loads(body))).encode()

    return behave


def done(server: Member, body: bytes, seen: list[bytes]) -> None:
    """Do a transaction whose answer nobody gets."""
    seen.append(body)
    server.ask("kv/txn", json.loads(body))


def change_password(member: Member, old: str, new: str) -> None:
    """Change the administrator's; whoever has logged in with the old one is logged out."""
    token = member.ask("auth/authenticate", {"name": "root", "password": old})["token"]
    member.ask("auth/user/changepw", {"name": "root", "password": new}, token)


class TestPasswords:
    @pytest.fixture
    def guarded(self, own: Member) -> Member:
        """An etcd that asks for a password."""
        own.ask("auth/user/add", {"name": "root", "password": "secret"})
        own.ask("auth/role/add", {"name": "root"})
        own.ask("auth/user/grant", {"user": "root", "role": "root"})
        own.ask("auth/enable", {})
        return own

    def test_with_the_password_it_works_also_with_a_new_one(
        self, guarded: Member, tmp_path: Path
    ) -> None:
        password = tmp_path / "password"
        password.write_text("secret\n")
        store = store_at(tmp_path, guarded.url, user="root", password={"file": str(password)})
        for new in ("other", "another"):
            increment(store, "vm/gridce")
            change_password(guarded, password.read_text().strip(), new)
            password.write_text(new)
            increment(store, "vm/gridce")
        assert value_of(store, "vm/gridce") == {"count": 4}

    def test_many_who_need_a_new_token_ask_for_one(
        self, guarded: Member, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each password takes etcd long to check: of 64 side by side it answered none in time."""
        monkeypatch.setenv("ETCD_PASSWORD", "secret")
        store = store_at(tmp_path, guarded.url, user="root", password={"env": "ETCD_PASSWORD"})
        store.put("vm/vm0", {}, 0)
        change_password(guarded, "secret", "other")
        monkeypatch.setenv("ETCD_PASSWORD", "other")
        jobs = {f"vm{n}": partial(store.put, f"vm/vm{n}", {}, 0) for n in range(1, 65)}
        answers = together(jobs, 60)
        assert [each for each in answers.values() if not isinstance(each, int)] == []
        assert len(store.list("vm/")) == 65

    def test_with_a_password_from_the_environment(
        self, guarded: Member, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ETCD_PASSWORD", "secret")
        store = store_at(tmp_path, guarded.url, user="root", password={"env": "ETCD_PASSWORD"})
        increment(store, "vm/gridce")
        assert value_of(store, "vm/gridce") == {"count": 1}

    def test_without_it_is_told(
        self, guarded: Member, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WRONG_PASSWORD", "wrong")
        cases: list[tuple[dict[str, Any], str]] = [
            ({}, "user name is empty"),
            ({"user": "root", "password": {"env": "WRONG_PASSWORD"}}, "authentication failed"),
            ({"user": "root", "password": {"env": "NO_PASSWORD"}}, "NO_PASSWORD"),
            ({"user": "root", "password": {"file": "/no/password"}}, "/no/password"),
        ]
        for settings, reason in cases:
            with pytest.raises(StoreLost, match=reason) as lost:
                store_at(tmp_path, guarded.url, **settings).get("vm/gridce")
            assert "\n" not in str(lost.value)
            assert "wrong" not in str(lost.value)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA, certificates of a server and of a client by it, and another CA."""
    folder = tmp_path_factory.mktemp("tls")
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    for name in ("ca", "other"):
        openssl(
            folder,
            *new,
            "-subj",
            f"/CN={name}",
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.pem",
        )
    for name in ("server", "client"):
        openssl(
            folder, *new, "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
            "-addext", "basicConstraints=critical,CA:FALSE",
            "-CA", "ca.pem", "-CAkey", "ca.key",
            "-keyout", f"{name}.key", "-out", f"{name}.pem",
        )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def secure(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Member]:
    """An etcd that shows its certificate and wants to see one."""
    arguments = (
        "--cert-file", f"{files}/server.pem", "--key-file", f"{files}/server.key",
        "--trusted-ca-file", f"{files}/ca.pem", "--client-cert-auth",
    )  # fmt: skip
    with etcd(tmp_path_factory.mktemp("secure"), *arguments, scheme="https") as member:
        yield member


class TestTls:
    def test_with_the_certificates_it_works(
        self, secure: Member, files: Path, tmp_path: Path
    ) -> None:
        store = store_at(tmp_path, secure.url, **certificates(files, "ca", "client"))
        increment(store, "vm/gridce")
        assert value_of(store, "vm/gridce") == {"count": 1}

    @pytest.mark.parametrize(("ca", "client"), [("other", "client"), ("ca", None), ("ca", "other")])
    def test_with_wrong_ones_it_is_told(
        self, secure: Member, files: Path, tmp_path: Path, ca: str, client: str | None
    ) -> None:
        store = store_at(tmp_path, secure.url, **certificates(files, ca, client))
        with pytest.raises(StoreLost, match=secure.url) as lost:
            store.get("vm/gridce")
        assert "\n" not in str(lost.value)

    @pytest.mark.parametrize("missing", ["ca", "cert", "key"])
    def test_a_file_that_cannot_be_read_is_named(
        self, files: Path, tmp_path: Path, missing: str
    ) -> None:
        settings = {**certificates(files, "ca", "client"), missing: "/no/such.pem"}
        with pytest.raises(StoreLost, match=r"/no/such\.pem"):
            store_at(tmp_path, "https://127.0.0.1:1", **settings)


def certificates(files: Path, ca: str, client: str | None) -> dict[str, str]:
    own = {"cert": f"{files}/{client}.pem", "key": f"{files}/{client}.key"} if client else {}
    return {"ca": f"{files}/{ca}.pem", **own}


def openssl(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
