"""The JSON API, `/api/v1`: the same desk for programs."""
