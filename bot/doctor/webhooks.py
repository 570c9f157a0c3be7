"""The addresses that are told when a comment needs a person."""

from collections.abc import Iterator, Sequence

from bot.doctor.report import Finding
from bot.models import Webhook
from bot.notifier import target_of
from bot.settings import Settings, SettingsError


def webhook_findings(settings: Settings, known: Sequence[Webhook]) -> Iterator[Finding]:
    """`known` is what the ledger tells of them. Nothing is sent."""
    rows = {row.name: row for row in known}
    for hook in settings.webhooks:
        part = f"webhook {hook.name}"
        try:
            target_of(hook)
        except SettingsError as error:
            yield Finding("error", part, str(error))
            continue
        row = rows.get(hook.name)
        if row is not None and row.last_error:
            yield Finding(
                "error",
                part,
                f"{row.last_error}; see that it takes notices: rejoinder webhooks test {hook.name}",
                f"{row.last_error}；请检查它能否接收通知：rejoinder webhooks test {hook.name}",
            )
        elif row is not None and row.delivered_at is not None:
            when = f"{row.delivered_at:%Y-%m-%d %H:%M} UTC"
            yield Finding("ok", part, f"last notice {when}", f"最近一次通知：{when}")
        else:
            yield Finding(
                "ok",
                part,
                f"no notice yet; try it: rejoinder webhooks test {hook.name}",
                f"尚未发送通知；可以试一试：rejoinder webhooks test {hook.name}",
            )
