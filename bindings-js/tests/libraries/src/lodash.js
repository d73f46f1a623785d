// lodash-es: an order book grouped, ranked and merged.
import { chunk, cloneDeep, groupBy, mapValues, merge, orderBy, sumBy, template, uniqWith, isEqual } from "lodash-es";

export function run({ orders, defaults }) {
  const totals = mapValues(groupBy(orders, "item"), (group) => sumBy(group, "count"));
  const copy = cloneDeep({ when: new Date(0), orders });
  merge(copy, defaults);
  return {
    totals,
    ranked: orderBy(orders, ["count", "item"], ["desc", "asc"]).map((order) => order.item),
    pages: chunk(orders, 2).length,
    distinct: uniqWith(orders, isEqual).length,
    merged: copy,
    letter: template("<% orders.forEach((o) => { %><%- o.item %>:<%= o.count %>;<% }) %>")({ orders }),
  };
}
