"""The service: takes comments in, drafts grounded replies, decides what may go out, and sends it once."""
