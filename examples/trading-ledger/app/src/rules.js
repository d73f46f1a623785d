// The rules of the house, apart from the matching engine: those who write them need not know C++, and they can be
// replaced while the host runs.

const PRICE_MAX = 10_000;
const POSITION_MAX = 500;

const positions = ccf.kv["positions"];

function position(trader) {
  const found = positions.get(ccf.strToBuf(trader));
  return found === undefined ? 0 : parseInt(ccf.bufToStr(found), 10);
}

function refuse(reason) {
  return { statusCode: 422, body: { reason } };
}

// An order: {trader, side: "buy" or "sell", price, quantity}.
export function check(request) {
  const { trader, side, price, quantity } = request.body.json();
  if (!Number.isInteger(price) || price < 1 || price > PRICE_MAX) {
    return refuse(`a price is between 1 and ${PRICE_MAX}`);
  }
  if (!Number.isInteger(quantity) || quantity < 1) {
    return refuse("a quantity is 1 at least");
  }
  const after = position(trader) + (side === "buy" ? quantity : -quantity);
  if (Math.abs(after) > POSITION_MAX) {
    return refuse(`${trader} would hold ${after}; ${POSITION_MAX} is the limit`);
  }
  return { body: { accepted: true } };
}
