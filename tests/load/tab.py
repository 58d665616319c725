"""A browser's tab without the browser: speaks Streamlit's protocol, keeps its timers, fetches the pictures it is shown."""

from __future__ import annotations

import asyncio
import http.client
import re
import time

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed


class Tab:
    """One tab.

    Args:
        address: of the app, as http://HOST:PORT.
        page: as it stands in the address; empty for the start page.
        query: of the link, without the question mark; the page changes it.

    Attributes:
        faults: exceptions that a page showed, and a connection that ended by itself.
        fragment_runs: how often a part of the page was drawn anew.
        texts: what the progress bars said, the newest last.
    """

    def __init__(self, address: str, page: str = "", query: str = "") -> None:
        self.address, self.page, self.query = address, page, query
        self.faults: list[str] = []
        self.texts: list[str] = []
        self.fragment_runs = self.bytes = 0
        self._session = self._hash = ""
        self._hashes: set[str] = set()
        self._seen: set[str] = set()
        self._widgets: dict[str, WidgetState] = {}
        self._buttons: dict[str, str] = {}
        self._timers: dict[str, tuple[float, asyncio.Task[None]]] = {}
        self._drawn = asyncio.Event()
        self._pictures: list[asyncio.Task[None]] = []
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._http = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
        self._fetching = asyncio.Lock()

    async def __aenter__(self) -> Tab:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.leave()

    @property
    def samples(self) -> int:
        """How many samples the page's computation has counted, as far as the page said."""
        found = re.search(r"certifying: ([\d,]+) of", self.texts[-1]) if self.texts else None
        return int(found[1].replace(",", "")) if found else 0

    async def open(self, timeout: float = 120.0) -> float:
        """Look at the page; returns the seconds until all of it is there, pictures included. Raises TimeoutError."""
        begin = time.perf_counter()
        async with asyncio.timeout(timeout):
            await self.fetch("/" + self.page)
            await self._connect()
            await self._drawn.wait()
            await asyncio.gather(*self._pictures)
        return time.perf_counter() - begin

    async def drop(self) -> None:
        """Lose the connection, with the page still in view."""
        self._stop_timers()
        assert self._reader is not None
        assert self._socket is not None
        self._reader.cancel()
        await self._socket.close()

    async def come_back(self) -> None:
        """Connect again, as the page does after a drop."""
        self._drawn.clear()
        await self._connect()
        await self._drawn.wait()

    async def press(self, label: str) -> None:
        """Press a button of the page. Raises KeyError where there is none of that label."""
        self._drawn.clear()
        await self._ask(pressed=self._buttons[label])
        await self._drawn.wait()

    async def leave(self) -> None:
        """Close the tab."""
        for task in self._pictures:
            task.cancel()
        if self._socket is not None:
            await self.drop()
        self._http.close()

    async def _connect(self) -> None:
        stream = self.address.replace("http", "ws", 1) + "/_stcore/stream"
        names = ["streamlit", "PLACEHOLDER_AUTH_TOKEN", self._session] if self._session else ["streamlit"]
        self._socket = await connect(stream, subprotocols=names, max_size=None, ping_interval=None)  # type: ignore[arg-type]
        self._reader = asyncio.create_task(self._read(self._socket))
        await self._ask()

    async def _ask(self, fragment: str = "", pressed: str = "") -> None:
        message = BackMsg()
        state = message.rerun_script
        state.query_string, state.page_script_hash, state.fragment_id = self.query, self._hash, fragment
        state.page_name = "" if self._hash else self.page
        state.is_auto_rerun = bool(fragment)
        state.cached_message_hashes.extend(self._hashes)
        state.context_info.url, state.context_info.timezone = f"{self.address}/{self.page}", "UTC"
        state.widget_states.widgets.extend(self._widgets.values())
        if pressed:
            state.widget_states.widgets.append(WidgetState(id=pressed, trigger_value=True))
        assert self._socket is not None
        await self._socket.send(message.SerializeToString())

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for data in socket:
                assert isinstance(data, bytes)
                self.bytes += len(data)
                self._take(ForwardMsg.FromString(data))
        except ConnectionClosed as closed:
            self.faults.append(f"the connection ended: {closed}")

    def _take(self, message: ForwardMsg) -> None:
        if message.metadata.cacheable:
            self._hashes.add(message.hash)
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self._session = message.new_session.initialize.session_id
            if message.metadata.run.fragment_ids:
                self.fragment_runs += 1
            else:
                self._stop_timers()
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif kind == "navigation":
            self._hash = message.navigation.page_script_hash
        elif kind == "delta" and message.delta.HasField("new_element"):
            self._see(message.delta.new_element)
        elif kind == "auto_rerun":
            self._start_timer(message.auto_rerun.fragment_id, message.auto_rerun.interval)
        elif kind == "stop_auto_rerun":
            for fragment in message.stop_auto_rerun.fragment_ids:
                self._stop_timer(fragment)
        elif kind == "script_finished" and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
            self._drawn.set()
        elif kind in ("page_not_found", "session_event"):
            self.faults.append(kind)

    def _see(self, element: Element) -> None:
        kind = element.WhichOneof("type")
        if kind == "exception":
            self.faults.append(f"{element.exception.type}: {element.exception.message}")
        elif kind == "progress":
            self.texts.append(element.progress.text)
        elif kind == "button":
            self._buttons[element.button.label] = element.button.id
        elif kind == "imgs":
            for url in {picture.url for picture in element.imgs.imgs} - self._seen:
                self._seen.add(url)
                if not url.startswith("data:"):  # one that holds its picture is there
                    self._pictures.append(asyncio.create_task(self.fetch(url)))
        elif kind == "number_input":
            entry = element.number_input
            self._widgets[entry.id] = WidgetState(id=entry.id, double_value=entry.value if entry.set_value else entry.default)
        elif kind == "checkbox":
            switch = element.checkbox
            self._widgets[switch.id] = WidgetState(
                id=switch.id, bool_value=switch.value if switch.set_value else switch.default
            )
        elif kind == "slider":
            slider = element.slider
            state = WidgetState(id=slider.id)
            state.double_array_value.data.extend(slider.value if slider.set_value else slider.default)
            self._widgets[slider.id] = state

    async def fetch(self, path: str) -> None:
        """Get a file from the server; what is no answer is a fault."""

        def get() -> int:
            try:
                self._http.request("GET", path)
                answer = self._http.getresponse()
            except (ConnectionError, http.client.RemoteDisconnected):
                self._http.close()  # the server ends connections that were idle; a browser then opens another
                self._http.request("GET", path)
                answer = self._http.getresponse()
            with answer:
                answer.read()
                return answer.status

        async with self._fetching:
            try:
                status = await asyncio.to_thread(get)
            except (OSError, http.client.HTTPException) as error:
                status = repr(error)
        if status != 200:
            self.faults.append(f"{path}: {status}")

    def _start_timer(self, fragment: str, interval: float) -> None:
        known = self._timers.get(fragment)
        if known is not None and known[0] == interval:
            return
        self._stop_timer(fragment)
        self._timers[fragment] = interval, asyncio.create_task(self._tick(fragment, interval))

    async def _tick(self, fragment: str, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            await self._ask(fragment)

    def _stop_timer(self, fragment: str) -> None:
        if fragment in self._timers:
            self._timers.pop(fragment)[1].cancel()

    def _stop_timers(self) -> None:
        for fragment in list(self._timers):
            self._stop_timer(fragment)
