"""The documents' own samples of the presence resource, letter for letter."""

EVENT = """{
  "_links" : {
    "self" : {
      "href" : "http://sample:80/ucwa/v1/applications/appId/events?ack=1"
    },
    "next" : {
      "href" : "http://sample:80/ucwa/v1/applications/appId/events?ack=2"
    }
  },
  "sender" : [
    {
      "rel" : "me",
      "href" : "https://fe1.contoso.com:443/ucwa/v1/applications/192/me",
      "events" : [
        {
          "link" : {
            "rel" : "presence",
            "href" : "https://fe1.contoso.com:443/ucwa/v1/applications/192/me/presence"
          },
          "type" : "TYPE"
        }
      ]
    }
  ]
}"""
"""The sample of an event; TYPE stands for added, updated or deleted."""

PRESENCE_JSON = """{
  "rel" : "presence",
  "activity" : "Off Work",
  "availability" : "Online",
  "_links" : {
    "self" : {
      "href" : "/ucwa/v1/applications/192/me/presence"
    }
  }
}"""

PRESENCE_XML = """<?xml version="1.0" encoding="utf-8"?>
<resource rel="presence" href="/ucwa/v1/applications/192/me/presence" xmlns="http://schemas.microsoft.com/rtc/2012/03/ucwa">
  <property name="rel">presence</property>
  <property name="activity">Off Work</property>
  <property name="availability">DoNotDisturb</property>
</resource>"""  # as printed

POST_JSON = """{
  "availability" : "BeRightBack"
}"""

POST_XML = """<?xml version="1.0" encoding="utf-8"?>
<input xmlns="http://schemas.microsoft.com/rtc/2012/03/ucwa">
  <property name="availability">Online</property>
</input>"""

PRESENCE_ERRORS = [
    ("GET", 409, "Conflict", "MakeMeAvailableRequired"),
    ("GET", 500, "ServiceFailure", "InvalidExchangeServerVersion"),
    ("GET", 409, "Conflict", "AlreadyExists"),
    ("GET", 409, "Conflict", "TooManyGroups"),
    ("GET", 409, "Conflict", "None"),
    ("GET", 410, "Gone", "CannotRedirect"),
    ("POST", 409, "Conflict", "MakeMeAvailableRequired"),
    ("POST", 500, "ServiceFailure", "CallbackChannelError"),
    ("POST", 409, "Conflict", "AlreadyExists"),
    ("POST", 409, "Conflict", "TooManyGroups"),
    ("POST", 409, "Conflict", "None"),
    ("POST", 410, "Gone", "CannotRedirect"),
]
"""The tables of synchronous errors of GET and POST."""
