from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    negative_data_rejection,
    positive_data_acceptance,
)

PATHS = {
    "/v1/recommendations",
    "/v1/items/search",
    "/v1/items/{item_id}",
    "/v1/model",
    "/healthz",
    "/readyz",
    "/metrics",
}


def check(operation: schemathesis.APIOperation, mode: GenerationMode, n_examples: int) -> None:
    """Send requests that fit the description, or do not, and see that the answers fit it."""

    @settings(
        max_examples=n_examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    @given(case=operation.as_strategy(mode))
    def send(case: Any) -> None:
        answer = case.call()
        refused = answer.json()["error"]["code"] if answer.status_code >= 400 else None
        # Which types there are depends on the model, and the size of a body on how it is written:
        # the description of the fields cannot say either.
        by_rule = [positive_data_acceptance, negative_data_rejection]
        excluded = by_rule if refused in ("unknown_type", "too_large") else []
        case.validate_response(answer, excluded_checks=excluded)

    send()


def test_every_route_keeps_to_its_description_whatever_is_sent(address: str) -> None:
    schema = schemathesis.openapi.from_url(address + "/openapi.json")
    results = list(schema.get_all_operations())
    operations = [result.ok() for result in results if isinstance(result, Ok)]
    assert len(operations) == len(results)
    assert {operation.path for operation in operations} == PATHS
    for operation in operations:
        takes_anything = operation.path.startswith("/v1/") and operation.path != "/v1/model"
        check(operation, GenerationMode.POSITIVE, 25 if takes_anything else 2)
        if takes_anything:
            check(operation, GenerationMode.NEGATIVE, 25)
