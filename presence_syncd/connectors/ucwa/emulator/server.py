"""A Skype for Business deployment on this machine: discovery, tokens, two pools, event channels, presence.

Written from the service's documents, with its own timers (constructor parameters, in emulated seconds). By host name
it is several servers: `lyncdiscover(internal).DOMAIN`, `pool-a.DOMAIN`, `pool-b.DOMAIN`; with `base_url` one is all.
"""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from presence_syncd.connectors.emulation import CONTROL, EmulatedClock, json_of
from presence_syncd.connectors.ucwa.emulator.applications import Application
from presence_syncd.connectors.ucwa.emulator.batches import batch_answer
from presence_syncd.connectors.ucwa.emulator.directory import address
from presence_syncd.connectors.ucwa.emulator.documents import Doc, Happening, answer, input_of, problem
from presence_syncd.connectors.ucwa.emulator.events import Events
from presence_syncd.connectors.ucwa.emulator.people import SETTABLE, Endpoint, Person
from presence_syncd.connectors.ucwa.emulator.pool import ONE


class UcwaEmulator(Events):
    """The emulated deployment.

    Times are emulated seconds: `medium` is how long news are gathered at most, `poll_seconds` how long a poll waits at
    most, `idle_after` and `away_after` what makes an application's person inactive and away, `poll_idle` and
    `activity_idle` what ends an application. `max_applications` are one person's, `own_subscription` says whether a
    person may follow their own address, `redirects` whether another pool's users are sent on by a redirect.
    """

    def __init__(
        self,
        domain: str = "contoso.com",
        *,
        clock: EmulatedClock | None = None,
        base_url: str = "",
        medium: float = 5.0,
        poll_seconds: float = 180.0,
        idle_after: float = 300.0,
        away_after: float = 300.0,
        poll_idle: float = 300.0,
        activity_idle: float = 7200.0,
        token_seconds: float = 28800.0,
        max_applications: int = 16,
        own_subscription: bool = True,
        redirects: bool = False,
    ) -> None:
        super().__init__(domain, base_url, token_seconds, clock)
        self.medium, self.poll_seconds = medium, poll_seconds
        self.idle_after, self.away_after = idle_after, away_after
        self.poll_idle, self.activity_idle = poll_idle, activity_idle
        self.max_applications, self.own_subscription, self.redirects = max_applications, own_subscription, redirects
        self.writes: list[tuple[str, str | None]] = []

    def routes(self) -> list[BaseRoute]:
        """Everything below an application, and the steering."""
        below = [
            ("/batch", self._batch, "POST"),
            ("/me/presence", self._presence, "GET"),
            ("/me/presence", self._set_presence, "POST"),
            ("/me/note", self._note, "GET"),
            ("/me/note", self._set_note, "POST"),
            ("/me/makeMeAvailable", self._make_available, "POST"),
            ("/me/reportMyActivity", self._report_activity, "POST"),
            ("/people/presenceSubscriptions", self._subscribe, "POST"),
            ("/people/presenceSubscriptions/{subscription}", self._extend, "POST"),
            ("/people/{sip}/presence", self._contact_presence, "GET"),
        ]
        return [
            *super().routes(),
            *[Route(ONE + path, endpoint, methods=[method]) for path, endpoint, method in below],
            Route(f"{CONTROL}/people", self._list_people),
            Route(f"{CONTROL}/people/{{sip}}", self._steer, methods=["POST"]),
        ]

    def add_user(self, sip: str, password: str, pool: str = "pool-a") -> Person:
        """Add a person; `sip` with or without its scheme."""
        person = Person(address(sip), password, pool, self.idle_after, self.away_after)
        self.people[person.sip] = person
        return person

    def client(self, sip: str, availability: str | None) -> None:
        """Let the person's own client set a state (`IdleOnline`: nobody types there); None: it signs out."""
        person = self.person(sip)
        person.sit_at_client(availability, self.clock.now())
        self.settle(person)

    def shown(self, sip: str) -> str:
        """What everybody sees of a person."""
        person = self.person(sip)
        self.settle(person)
        return person.shown(self.clock.now())

    async def _list_people(self, _request: Request) -> Response:
        """What everybody sees of each person, and their note."""
        return JSONResponse({sip: {"shown": self.shown(sip), "note": p.note} for sip, p in self.people.items()})

    async def _steer(self, request: Request) -> Response:
        """POST `{"availability": ...}`: the person's own client sets it; null signs it out."""
        sip = request.path_params["sip"]
        if address(sip) not in self.people:
            return JSONResponse({"error": "no such person"}, 404)
        availability = (await json_of(request)).get("availability")
        if availability is not None and availability not in (*SETTABLE, "IdleOnline", "IdleBusy"):
            return JSONResponse({"error": "no such availability"}, 400)
        self.client(sip, availability)
        return JSONResponse({"shown": self.shown(sip)})

    async def _batch(self, request: Request) -> Response:
        application = self.find(request)
        if isinstance(application, Response):
            return application
        return await batch_answer(request, self.app)

    async def _presence(self, request: Request) -> Response:
        application = self._available(request)
        if isinstance(application, Response):
            return application
        return answer(request, self._presence_doc(application, "/me/presence", "presence"))

    def _presence_doc(self, application: Application, path: str, rel: str) -> Doc:
        person = application.person
        properties = {"activity": "Off Work" if person.preferred == "Offwork" else "", "availability": person.told}
        return Doc(rel, self.href(application, path), {k: v for k, v in properties.items() if v})

    def _available(self, request: Request) -> Application | Response:
        """Find the application, or say that it must be made available first."""
        application = self.find(request)
        if isinstance(application, Application) and not application.available:
            return problem(request, 409, "Conflict", "MakeMeAvailableRequired")
        return application

    async def _set_presence(self, request: Request) -> Response:
        application = self._available(request)
        if isinstance(application, Response):
            return application
        try:
            availability = (await input_of(request)).get("availability")
        except ValueError:
            return problem(request, 400, "BadRequest", "DeserializationFailure")
        if availability is not None and availability not in SETTABLE:
            return problem(request, 400, "BadRequest", "ParameterValidationFailure")
        application.person.preferred = availability or "Online"
        self.writes.append((application.person.sip, availability))
        self.settle(application.person)
        return Response(status_code=204)

    async def _note(self, request: Request) -> Response:
        application = self._available(request)
        if isinstance(application, Response):
            return application
        person = application.person
        properties = {"message": person.note, "type": person.note_type}
        return answer(request, Doc("note", self.href(application, "/me/note"), properties))

    async def _set_note(self, request: Request) -> Response:
        application = self._available(request)
        if isinstance(application, Response):
            return application
        application.person.note = str((await input_of(request)).get("message", ""))
        self.announce(application.person, "note")
        return Response(status_code=204)

    async def _make_available(self, request: Request) -> Response:
        application = self.find(request)
        if isinstance(application, Response):
            return application
        if application.available:
            return problem(request, 409, "Conflict", "AlreadyExists")
        values = await input_of(request)
        modalities = [str(one) for one in values.get("supportedmodalities", [])]
        if set(modalities) - {"Messaging", "PhoneAudio"}:
            return problem(request, 403, "Forbidden")
        self._become_available(application, str(values.get("signinas", "Online")), modalities)
        return Response(status_code=204)

    def _become_available(self, application: Application, word: str, modalities: list[str]) -> None:
        now = self.clock.now()
        application.available, application.modalities, application.active_at = True, modalities, now
        application.person.endpoints[application.endpoint] = Endpoint(now)
        application.person.preferred = word
        me = self.href(application, "/me")
        for kind, rel, path in (("updated", "me", ""), ("added", "presence", "/presence"), ("added", "note", "/note")):
            application.put(Happening("me", me, kind, rel, me + path), now)
        self.settle(application.person)

    async def _report_activity(self, request: Request) -> Response:
        application = self._available(request)
        if isinstance(application, Response):
            return application
        application.active_at = self.clock.now()
        application.person.endpoints[application.endpoint].active_at = application.active_at
        self.settle(application.person)
        return Response(status_code=204)

    async def _subscribe(self, request: Request) -> Response:
        application = self.find(request)
        if isinstance(application, Response):
            return application
        values = await input_of(request)
        minutes, uris = float(values.get("duration", 0)), values.get("uris", [])
        if not 10 <= minutes <= 30:
            return problem(request, 400, "BadRequest", "ParameterValidationFailure")
        if not self.own_subscription or [address(str(uri)) for uri in uris] != [application.person.sip]:
            return problem(request, 403, "Forbidden")
        application.subscribed += 1
        name = f"s{application.subscribed}"
        application.subscriptions[name] = self.clock.now() + minutes * 60
        people, contact = self.href(application, "/people"), self._contact_href(application)
        application.put(Happening("people", people, "updated", "contactPresence", contact), self.clock.now())
        href = self.href(application, f"/people/presenceSubscriptions/{name}")
        return answer(request, Doc("presenceSubscription", href, {"id": name}), 201)

    async def _extend(self, request: Request) -> Response:
        application = self.find(request)
        if isinstance(application, Response):
            return application
        name, now = request.path_params["subscription"], self.clock.now()
        until = application.subscriptions.get(name, 0.0)
        if until <= now:
            return problem(request, 404, "NotFound", "ApplicationNotFound")
        minutes = float(request.query_params["duration"])
        application.subscriptions[name] = min(until + minutes * 60, now + 1800)
        href = self.href(application, f"/people/presenceSubscriptions/{name}")
        return answer(request, Doc("presenceSubscription", href, {"id": name}))

    async def _contact_presence(self, request: Request) -> Response:
        application = self.find(request)
        if isinstance(application, Response):
            return application
        return answer(request, self._presence_doc(application, self._contact_path(application), "contactPresence"))

    def _contact_path(self, application: Application) -> str:
        return f"/people/{quote(application.person.sip.removeprefix('sip:'))}/presence"

    def _contact_href(self, application: Application) -> str:
        return self.href(application, self._contact_path(application))

    def announce(self, person: Person, rel: str) -> None:
        """Tell everybody who follows a person that something of theirs changed."""
        now = self.clock.now()
        for application in self.theirs(person):
            me, people = self.href(application, "/me"), self.href(application, "/people")
            if application.available:
                application.put(Happening("me", me, "updated", rel, f"{me}/{rel}"), now)
            elif rel == "presence" and any(until > now for until in application.subscriptions.values()):
                contact = self._contact_href(application)
                application.put(Happening("people", people, "updated", "contactPresence", contact), now)
