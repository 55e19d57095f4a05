"""Every page of the product, composed from the apps' own URL files."""

urlpatterns: list = []  # type: ignore[type-arg]
