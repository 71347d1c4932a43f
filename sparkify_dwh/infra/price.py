"""What an hour of compute costs, by AWS's own price list."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from .aws import Clients
from .results import Price
from .settings import InfraSettings


def price(clients: Clients, infra: InfraSettings) -> Price:
    """Price per hour on demand; without a number where the price list does not answer.

    Never raises: a plan is worth showing without its price.
    """
    serverless = infra.kind == "serverless"
    wanted = "serverless" if serverless else infra.node_type
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
        found = [json.loads(text) for page in answers for text in page["PriceList"]]
        each = hourly(found, serverless=serverless)
    except Exception as error:
        return Price(None, f"the price list did not answer: {type(error).__name__}")
    if each is None:
        return Price(None, f"the price list has no single price for {wanted} in {clients.region}")
    if serverless:
        basis = f"{infra.base_capacity} RPU at {each:.3f}, only while queries run; idle 0"
        return Price(each * infra.base_capacity, basis)
    return Price(each * infra.nodes, f"{infra.nodes} x {wanted} at {each:.3f} while it runs")


def hourly(products: Iterable[Mapping[str, Any]], *, serverless: bool) -> float | None:
    """The one on-demand price per hour among the products; None when there are none or several.

    :param serverless: whether it is the price of an RPU, or of a node.
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
