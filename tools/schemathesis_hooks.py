"""Gives each request of schemathesis an address of its own, for tools/schemathesis.sh.

The server limits requests without a valid key, and those of invitations, by address. All
requests from one address would soon be answered with 429, where the checks expect 401.

The header is added as a proxy would add it, below schemathesis: a header that a hook adds
to a case would count as data of the case.
"""

import itertools

import requests.adapters

_numbers = itertools.count()


def _add_headers(self, request, **kwargs):
    number = next(_numbers)
    request.headers["X-Forwarded-For"] = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


requests.adapters.HTTPAdapter.add_headers = _add_headers
