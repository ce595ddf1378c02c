from tidegate.controller.gateways import gateway_pods


def selected(labels: dict[str, str]) -> bool:
    """Whether the API server would list a pod with these labels."""
    selector = gateway_pods("tidegate-system").label_selector or ""
    return all(
        labels.get(name) == value for name, _, value in (part.partition("=") for part in selector.split(","))
    )


def test_only_the_installations_own_gateways_are_followed() -> None:
    assert selected({"app.kubernetes.io/name": "tidegate", "app.kubernetes.io/component": "gateway"})
    assert not selected({"app.kubernetes.io/name": "other", "app.kubernetes.io/component": "gateway"})
    assert not selected({"app.kubernetes.io/component": "gateway"})
    assert not selected({"app.kubernetes.io/name": "tidegate", "app.kubernetes.io/component": "operator"})
