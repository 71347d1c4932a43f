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
    wanted = "Serverless" if serverless else infra.node_type
    filters = {"regionCode": clients.region}
    filters["productFamily" if serverless else "instanceType"] = wanted
    try:
        pages = (
            clients["pricing"]
            .get_paginator("get_products")
            .paginate(
                ServiceCode="AmazonRedshift",
                Filters=[
                    {"Type": "TERM_MATCH", "Field": field, "Value": value}
                    for field, value in filters.items()
                ],
            )
        )
        found = [json.loads(text) for page in pages for text in page["PriceList"]]
        each = hourly(found, "RPU" if serverless else "")
    except Exception as error:
        return Price(None, f"the price list did not answer: {type(error).__name__}")
    if each is None:
        return Price(None, f"the price list has no single price for {wanted} in {clients.region}")
    if serverless:
        basis = f"{infra.base_capacity} RPU at {each:.3f}, only while queries run; idle 0"
        return Price(each * infra.base_capacity, basis)
    return Price(each * infra.nodes, f"{infra.nodes} x {wanted} at {each:.3f} while it runs")


def hourly(products: Iterable[Mapping[str, Any]], unit: str) -> float | None:
    """The one on-demand price per hour among the products; None when there are none or several.

    :param unit: what the unit's name must hold besides ``Hr``.
    """
    prices = {
        float(dimension["pricePerUnit"]["USD"])
        for product in products
        for term in product.get("terms", {}).get("OnDemand", {}).values()
        for dimension in term["priceDimensions"].values()
        if "hr" in dimension["unit"].lower() and unit.lower() in dimension["unit"].lower()
        if "USD" in dimension["pricePerUnit"] and float(dimension["pricePerUnit"]["USD"]) > 0
    }
    return prices.pop() if len(prices) == 1 else None
