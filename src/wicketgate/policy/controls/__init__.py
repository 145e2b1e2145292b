"""The controls, in the order in which their denials are told. What they permit does not hang on the order."""

from typing import Final

from wicketgate.policy.controls import access, effects, limits, masking, review
from wicketgate.policy.evaluation import Control

CONTROLS: Final[tuple[Control, ...]] = (
    access.judge,
    effects.judge,
    masking.judge,
    review.judge,
    limits.judge,
)
