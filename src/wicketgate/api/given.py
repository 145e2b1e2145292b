"""What routes of all topics are given: who asks, and the verbs' ports."""

from typing import Annotated

from fastapi import Depends, Request

from wicketgate.admin.authorize import Actor
from wicketgate.admin.ports import Office
from wicketgate.api.people import actor_of

By = Annotated[Actor, Depends(actor_of)]


def _office(request: Request) -> Office:
    office: Office = request.app.state.office
    return office


Desk = Annotated[Office, Depends(_office)]
