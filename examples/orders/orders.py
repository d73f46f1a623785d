"""Orders: a FastAPI service whose database is the ledger.

Nothing here is particular to Affiant but the maps (`ccf.kv`) and the caller in the request's scope. Each
request is one transaction: kept when the answer is a success, gone otherwise, background tasks included.
"""

from __future__ import annotations

import hashlib
from enum import Enum
from typing import Annotated, Any

import ccf
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel, Field

LINES_COUNT_MAX = 100
PAGE_COUNT_MAX = 100

app = FastAPI(title="Orders", version="1.0.0")
orders = ccf.kv["orders"]
# Per customer, so that two customers never wait for each other's transactions.
customers = ccf.kv["customers"]
turnover = ccf.kv["turnover"]


class Status(str, Enum):
    """Where an order is."""

    placed = "placed"
    cancelled = "cancelled"


class Line(BaseModel):
    """So many of one thing; the price of one is in cents."""

    sku: str = Field(pattern=r"^[A-Z]{2}-[0-9]{1,6}$", examples=["AB-7"])
    quantity: int = Field(ge=1, le=1000)
    price: int = Field(ge=0, le=100_000_00)


class NewOrder(BaseModel):
    """What a customer sends."""

    lines: list[Line] = Field(min_length=1, max_length=LINES_COUNT_MAX)
    note: str = Field(default="", max_length=200)


class Order(NewOrder):
    """What is kept and answered; the total is in cents."""

    id: str
    customer: str
    total: int
    status: Status = Status.placed


class Page(BaseModel):
    """Orders by ascending id; `next` is where to go on, if there are more."""

    orders: list[Order]
    next: str | None = None


class Turnover(BaseModel):
    """What a customer has ordered and not cancelled: how often, and for how many cents."""

    orders: int = 0
    total: int = 0


def known_caller(request: Request) -> str:
    """The id of the user whose certificate the connection showed."""
    caller: dict[str, Any] | None = request.scope["ccf"]["caller"]
    if caller is None or caller["policy"] != "user_cert":
        raise HTTPException(401, "Show the certificate of a user of this service.")
    return str(caller["id"])


Caller = Annotated[str, Depends(known_caller)]


def own_order(number: int, caller: Caller) -> Order:
    """The caller's order of that number; nobody learns whether another's exists."""
    found = orders.get(key(caller, number))
    if found is None:
        raise HTTPException(404, f"You have no order {number}.")
    return Order.model_validate(found)


OwnOrder = Annotated[Order, Depends(own_order)]


def key(customer: str, number: int) -> str:
    """Keys sort as numbers do, customer by customer."""
    return f"{customer}/{number:012}"


def add_up(customer: str, orders_count: int, total: int) -> None:
    """Changes a customer's turnover."""
    now = Turnover.model_validate(turnover.get(customer, {}))
    changed = Turnover(orders=now.orders + orders_count, total=now.total + total)
    turnover[customer] = changed.model_dump()


@app.post("/orders", status_code=201)
async def place(new: NewOrder, caller: Caller, tasks: BackgroundTasks) -> Order:
    """Place an order; answered once it is on disk and signed. The receipt proves the answer's bytes."""
    number = customers.get(caller, 0) + 1
    customers[caller] = number
    total = sum(line.quantity * line.price for line in new.lines)
    order = Order(id=str(number), customer=caller, total=total, **new.model_dump())
    orders[key(caller, number)] = order.model_dump(mode="json")
    ccf.rpc.set_claims_digest(hashlib.sha256(order.model_dump_json().encode()).digest())
    # Runs after the endpoint and before the answer leaves, in the same transaction.
    tasks.add_task(add_up, caller, 1, total)
    return order


@app.get("/orders")
def page(caller: Caller, start: int = 1, count: int = 20) -> Page:
    """The caller's orders. A plain function: FastAPI runs it on a thread of its own."""
    if not (start >= 1 and 1 <= count <= PAGE_COUNT_MAX):
        raise HTTPException(400, f"start is at least 1, count from 1 to {PAGE_COUNT_MAX}.")
    found = orders.range(key(caller, start), f"{caller}0", count + 1)
    listed = [Order.model_validate(order) for _, order in found]
    more = listed[count].id if len(listed) > count else None
    return Page(orders=listed[:count], next=more)


@app.get("/orders/{number}")
def read(order: OwnOrder) -> Order:
    """One of the caller's orders."""
    return order


@app.post("/orders/{number}/cancel")
async def cancel(order: OwnOrder, tasks: BackgroundTasks) -> Order:
    """Cancel an order, once."""
    if order.status is Status.cancelled:
        raise HTTPException(409, f"Order {order.id} is cancelled already.")
    order.status = Status.cancelled
    orders[key(order.customer, int(order.id))] = order.model_dump(mode="json")
    tasks.add_task(add_up, order.customer, -1, -order.total)
    return order


@app.get("/turnover")
async def read_turnover(caller: Caller) -> Turnover:
    """What the caller has ordered and not cancelled."""
    return Turnover.model_validate(turnover.get(caller, {}))
