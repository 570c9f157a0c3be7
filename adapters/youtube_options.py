"""Options of a YouTube channel."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from adapters.http import BaseUrl, PrivateUrl

API_URL: Final = "https://youtube.googleapis.com"
TOKEN_URL: Final = "https://oauth2.googleapis.com/token"  # noqa: S105 an address


class YouTubeOptions(BaseModel):
    """The Google project and account that we are, and how much of its quota reading may use."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    client_id: str = Field(min_length=1)
    """Of the OAuth client in the Google Cloud project; all channels with the same one share its quota."""
    client_secret: SecretStr
    refresh_token: SecretStr | None = None
    """Not needed where connecting the account has put one into the vault."""
    base_url: BaseUrl = API_URL
    token_url: PrivateUrl = TOKEN_URL
    titles: bool = True
    """Also read the videos' titles and descriptions: one unit for 50 videos, kept while the process runs."""
    quota_units: int = Field(default=10_000, gt=0)
    """What the project may use in a day; Google grants more after an audit."""
    max_reply_chars: int = Field(default=10_000, gt=0)
    """Google documents that a text can be too long, not how long it may be."""
    hide_as: Literal["heldForReview", "rejected"] = "heldForReview"
    """What `hide` makes of a comment: held can be taken back in YouTube Studio, rejected cannot."""
    remembered_threads: int = Field(default=5_000, ge=0)
    """For how many long threads the number of replies is kept, those that were seen last."""
    full_read_threads: int = Field(default=50_000, ge=0)
    """How many threads, from the newest back, are read again for late replies; 0: only the newest page. The first poll
    reads them all once, a unit for a hundred."""
    full_read_units: int = Field(default=150, gt=0)
    """Units a day for that, titles aside. 150 read 600 threads every hour; of 10,000, the newest 300 every 90 minutes,
    the newest 1,200 every 6 hours, and all every 2 days."""
    full_read_s: float = Field(default=3_600.0, ge=0)
    """Seconds to keep between two such readings, however cheap."""
    late_s: float = Field(default=259_200.0, ge=3_600)
    """How long a comment may be held back and still be seen when it shows with its old time."""
    overlap_s: float = Field(default=60.0, ge=0)
    settle_s: float = Field(default=60.0, ge=0)
    reply_gap_s: float = Field(default=5.0, ge=0)
    min_poll_s: float = Field(default=300.0, ge=0)
    """288 polls a day at the default, of one unit each where fewer than a hundred comments are new."""
    timeout_s: float = Field(default=20.0, gt=0)
