"""The OpenAPI document, made from the same types and table that serve the requests."""

from smarthost.web.openapi.document import openapi_document

__all__ = ["openapi_document"]
