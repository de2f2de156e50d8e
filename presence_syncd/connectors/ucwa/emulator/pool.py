"""The emulated pool's applications: made, found again, ended by their timers, taken down.

Written from the UCWA pages applications, application, me, MultiTabSupport and Application dashboard.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from presence_syncd.connectors.emulation import EmulatedClock
from presence_syncd.connectors.ucwa.emulator.agenda import Agenda
from presence_syncd.connectors.ucwa.emulator.applications import Application, Channel
from presence_syncd.connectors.ucwa.emulator.directory import APPLICATIONS, Directory
from presence_syncd.connectors.ucwa.emulator.documents import Doc, answer, input_of, problem
from presence_syncd.connectors.ucwa.emulator.people import Person

ONE = APPLICATIONS + "/{app}"


class Pool(Directory):
    """Applications and what ends them. `poll_idle` and `activity_idle` are emulated seconds."""

    poll_idle = 300.0
    activity_idle = 7200.0
    max_applications = 16

    def __init__(self, domain: str, base_url: str, token_seconds: float, clock: EmulatedClock | None) -> None:
        super().__init__(domain, base_url, token_seconds, clock)
        self.applications: dict[str, Application] = {}
        self._theirs: dict[str, dict[str, Application]] = {}
        self._agenda = Agenda()
        self._ended: dict[str, str] = {}
        self._made = 0

    def routes(self) -> list[BaseRoute]:
        """What is asked of applications as such."""
        return [
            *super().routes(),
            Route(APPLICATIONS, self._create, methods=["GET", "POST"]),
            Route(ONE, self._application, methods=["GET"]),
            Route(ONE, self._delete, methods=["DELETE"]),
        ]

    def move(self, sip: str, pool: str) -> None:
        """Move a person's home; the old pool knows them no more."""
        person = self.person(sip)
        for application in self.theirs(person):
            self._end(application, "ApplicationNotFound")
        person.pool = pool

    def restart(self) -> None:
        """Lose what a server keeps in memory: applications and tokens."""
        for application in list(self.applications.values()):
            self._end(application, "ApplicationNotFound")
        self.expire_tokens()

    def end_applications(self, reason: str) -> None:
        """End every application; `reason` is a subcode (`TooManyApplications`)."""
        for application in list(self.applications.values()):
            self._end(application, reason)

    def theirs(self, person: Person) -> list[Application]:
        """The applications of a person."""
        return list(self._theirs.get(person.sip, {}).values())

    def settle(self, person: Person | None = None) -> None:
        """Let what is due by now happen: applications end, people go idle, and everybody is told.

        `person` is looked at in any case, and so is everybody if it is None: something of theirs may have changed.
        """
        now = self.clock.now()
        self._look_at([person] if person else self.people.values(), now)
        self._look_at([self.people[sip] for sip in self._agenda.due(now)], now)

    def _look_at(self, people: Iterable[Person], now: float) -> None:
        for person in people:
            self._settle(person, now)
            self._agenda.note(person.sip, self._next_of(person, now))

    def _settle(self, person: Person, now: float) -> None:
        for application in self.theirs(person):
            reason = application.ending(now, self.poll_idle, self.activity_idle)
            if reason:
                self._end(application, reason)
        shown = person.shown(now)
        if shown != person.told:
            person.told = shown
            self.announce(person, "presence")

    def _next_of(self, person: Person, now: float) -> float:
        """When something of a person's changes by itself."""
        ends = [one.ends_at(self.poll_idle, self.activity_idle) for one in self.theirs(person)]
        return min([*ends, person.next_change(now)])

    async def _create(self, request: Request) -> Response:
        person = self.who(request)
        if isinstance(person, Response):
            return person
        if not self.base_url and person.pool != self.pool_of(request):
            return PlainTextResponse("Bad Gateway", 502)
        try:
            values = await input_of(request)
        except ValueError:
            return problem(request, 400, "BadRequest", "DeserializationFailure")
        fields = [str(values.get(name, "")) for name in ("culture", "endpointid", "useragent")]
        if request.method == "GET" or not all(0 < len(text) <= 100 for text in fields):
            return problem(request, 400, "BadRequest", "ParameterValidationFailure")
        application = self._application_for(person, (*fields, str(values.get("type", ""))))
        instance = str(values.get("instanceid", ""))
        status = 200 if instance in application.channels else 201
        channel = application.channels.setdefault(instance, Channel(instance, released_at=self.clock.now()))
        return answer(request, self._application_doc(application, channel), status)

    def _application_for(self, person: Person, key: tuple[str, ...]) -> Application:
        self.settle(person)
        theirs = self.theirs(person)
        for application in theirs:
            if application.key == key:
                return application
        if len(theirs) >= self.max_applications:
            self._end(min(theirs, key=lambda a: a.created_at), "TooManyApplications")
        self._made += 1
        application = Application(str(100 + self._made), person, key, self.clock.now())
        self.applications[application.id] = application
        self._theirs.setdefault(person.sip, {})[application.id] = application
        return application

    def _end(self, application: Application, reason: str) -> None:
        self.applications.pop(application.id, None)
        self._theirs[application.person.sip].pop(application.id, None)
        self._ended[application.id] = reason
        application.person.endpoints.pop(application.endpoint, None)
        for channel in application.channels.values():
            channel.ring()

    def find(self, request: Request) -> Application | Response:
        """Find the application a request is about, or the answer that says why not."""
        person = self.who(request)
        if isinstance(person, Response):
            return person
        if not self.base_url and person.pool != self.pool_of(request):
            return PlainTextResponse("Bad Gateway", 502)
        self.settle(person)
        application = self.applications.get(request.path_params["app"])
        if application is None or application.person is not person:
            return self.no_application(request, request.path_params["app"])
        return application

    def no_application(self, request: Request, app: str) -> Response:
        reason = self._ended.get(app, "ApplicationNotFound")
        if reason == "ApplicationNotFound":
            return problem(request, 404, "NotFound", reason)
        return problem(request, 410, "Gone", reason)

    def href(self, application: Application, path: str = "") -> str:
        return f"{APPLICATIONS}/{application.id}{path}"

    def _application_doc(self, application: Application, channel: Channel) -> Doc:
        instance = f"instanceId={quote(channel.instance)}" if channel.instance else ""
        href = self.href(application)
        events = f"{href}/events?ack={channel.ack}" + (f"&{instance}" if instance else "")
        people = {
            "self": f"{href}/people",
            "presenceSubscriptions": f"{href}/people/presenceSubscriptions",
        }
        return Doc(
            "application",
            href + (f"?{instance}" if instance else ""),
            {"culture": application.key[0], "userAgent": application.key[2]},
            {"policies": f"{href}/policies", "batch": f"{href}/batch", "events": events},
            [self.me_doc(application), Doc("people", links=people), Doc("onlineMeetings")],
        )

    def me_doc(self, application: Application) -> Doc:
        href = self.href(application, "/me")
        names = ("presence", "note", "location", "reportMyActivity") if application.available else ("makeMeAvailable",)
        links = {name: f"{href}/{name}" for name in names}
        return Doc("me", href, {"uri": application.person.sip, "name": "Emulated"}, links)

    async def _application(self, request: Request) -> Response:
        application = self.find(request)
        if isinstance(application, Response):
            return application
        channel = application.channels.get(request.query_params.get("instanceId", ""))
        return answer(request, self._application_doc(application, channel or Channel("")))

    async def _delete(self, request: Request) -> Response:
        application = self.find(request)
        if isinstance(application, Response):
            return application
        channel = application.channels.pop(request.query_params.get("instanceId", ""), None)
        if channel is not None:
            channel.reader = None
            channel.ring()
        if not application.channels:
            self._end(application, "ApplicationNotFound")
        self.settle(application.person)
        return Response(status_code=204)

    def announce(self, person: Person, rel: str) -> None:
        """Tell everybody who follows a person that something of theirs changed; who can follow, says the subclass."""
