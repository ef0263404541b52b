"""The Responses API: requests, stored responses, and how answers are shown."""
