"""`priceBasket` over HTTP on two workers, beside a plain Starlette endpoint with the same answer."""

import json

from benchmarks.support.load import request
from benchmarks.support.serving import Sesame
from benchmarks.support.shop import HOST, compare, two_seats

REQUESTS = 3000

PRICE = """query ($input: BasketInput!) { priceBasket(input: $input) {
    lines { tickets { fullPrice { amount } advantage { code } price { amount } } total { amount } }
    subtotal { amount } total { amount } amountDue { amount currency } } }"""


def prepare(server: Sesame) -> list[bytes]:
    """Two full-price Category 1 seats, priced again and again."""
    token = server.token("shopper", "--point-of-sale", "SHOP")
    body = json.dumps({"query": PRICE, "variables": {"input": {"lines": [two_seats(server, token)]}}}).encode()
    return [request(HOST, "/graphql", token, body)] * REQUESTS


if __name__ == "__main__":
    compare("priceBasket", prepare)
