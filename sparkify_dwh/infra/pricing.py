"""The price of an hour of compute, from AWS's own price list."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from .aws import Clients
from .plan import Price
from .settings import InfraSettings


def price(clients: Clients, infra: InfraSettings) -> Price:
    """On-demand price per hour; without a number where the price list does not answer.

    Never raises: a plan is worth showing without its price.
    """
    serverless = infra.kind == "serverless"
    product = "serverless" if serverless else infra.node_type
    filters = {"regionCode": clients.region}
    if not serverless:
        filters["instanceType"] = infra.node_type
    try:
        pages = clients["pricing"].get_paginator("get_products")
        answers = pages.paginate(
            ServiceCode="AmazonRedshift",
            Filters=[
                {"Type": "TERM_MATCH", "Field": field, "Value": value}
                for field, value in filters.items()
            ],
        )
        products = [json.loads(text) for page in answers for text in page["PriceList"]]
        per_unit = hourly(products, serverless=serverless)
    except Exception as error:
        return Price(None, f"the price list did not answer: {type(error).__name__}")
    if per_unit is None:
        return Price(None, f"the price list has no single price for {product} in {clients.region}")
    if serverless:
        basis = f"{infra.base_capacity} RPU at {per_unit:.3f}, only while queries run"
        return Price(per_unit * infra.base_capacity, basis)
    return Price(per_unit * infra.nodes, f"{infra.nodes} x {product} at {per_unit:.3f}")


def hourly(products: Iterable[Mapping[str, Any]], *, serverless: bool) -> float | None:
    """The one on-demand price per hour among the products; None when there are none or several.

    :param serverless: whether to look for the price of an RPU, not of a node.
    """
    prices = {
        float(dimension["pricePerUnit"]["USD"])
        for product in products
        for term in product.get("terms", {}).get("OnDemand", {}).values()
        for dimension in term["priceDimensions"].values()
        if "hr" in dimension["unit"].lower()
        and serverless == ("rpu" in dimension["unit"].lower())
        and (serverless or product["product"].get("productFamily") == "Compute Instance")
        and float(dimension["pricePerUnit"].get("USD", 0)) > 0
    }
    return prices.pop() if len(prices) == 1 else None
