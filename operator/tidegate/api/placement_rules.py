"""CEL rules of spec.placement: what Kubernetes would refuse in the pod, refused where the user writes it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidegate.api.base import rule
from tidegate.api.texts import LABEL_KEY_PATTERN

TOLERATION = rule(
    "has(self.key) || (has(self.operator) && self.operator == 'Exists')",
    "a toleration without key needs operator Exists",
)

TOLERATION_VALUE = rule(
    "!has(self.operator) || self.operator != 'Exists' || !has(self.value) || self.value == ''",
    "with operator Exists no value is compared; remove it",
    ".value",
)

TOLERATION_SECONDS = rule(
    "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
    "tolerationSeconds belongs to the effect NoExecute",
    ".tolerationSeconds",
)

LABEL_KEYS = rule(
    f"self.all(key, key.size() <= 253 && key.matches(r'{LABEL_KEY_PATTERN}'))",
    "every key must be a label's name, such as topology.kubernetes.io/zone",
)

SET_VALUES = rule(
    "!(self.operator in ['In', 'NotIn']) || (has(self.values) && self.values.size() > 0)",
    "the operators In and NotIn need at least one value",
    ".values",
)

NO_VALUES = rule(
    "!(self.operator in ['Exists', 'DoesNotExist']) || !has(self.values) || self.values.size() == 0",
    "the operators Exists and DoesNotExist compare no values; remove them",
    ".values",
)

NUMBER = rule(
    (
        "!(self.operator in ['Gt', 'Lt']) || "
        "(has(self.values) && self.values.size() == 1 && self.values[0].matches('^[0-9]+$'))"
    ),
    "the operators Gt and Lt need one value, a whole number",
    ".values",
)

TERM_SAYS_SOMETHING = rule(
    (
        "(has(self.matchExpressions) && self.matchExpressions.size() > 0) || "
        "(has(self.matchFields) && self.matchFields.size() > 0)"
    ),
    "a term needs matchExpressions or matchFields: an empty one matches no node",
)

KEYS_NEED_SELECTOR = rule(
    (
        "has(self.labelSelector) || ((!has(self.matchLabelKeys) || self.matchLabelKeys.size() == 0) && "
        "(!has(self.mismatchLabelKeys) || self.mismatchLabelKeys.size() == 0))"
    ),
    "matchLabelKeys and mismatchLabelKeys need a labelSelector",
    ".labelSelector",
)

KEYS_DIFFER = rule(
    (
        "!has(self.matchLabelKeys) || !has(self.mismatchLabelKeys) || "
        "!self.matchLabelKeys.exists(key, key in self.mismatchLabelKeys)"
    ),
    "a label cannot be in matchLabelKeys and in mismatchLabelKeys",
    ".matchLabelKeys",
)


def are_label_keys(keys: Iterable[str]) -> bool:
    """What LABEL_KEYS says."""
    return all(len(key) <= 253 and re.fullmatch(LABEL_KEY_PATTERN, key) for key in keys)
