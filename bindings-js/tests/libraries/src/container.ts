// inversify with reflect-metadata: services found by decorators and put together by a container.
import "reflect-metadata";
import { Container, inject, injectable, optional } from "inversify";

interface Rate { of(currency: string): number }
interface Ledger { entries: string[] }

@injectable()
class FixedRate implements Rate {
  of(currency: string): number {
    return { EUR: 2, USD: 3 }[currency] ?? 1;
  }
}

@injectable()
class MemoryLedger implements Ledger {
  entries: string[] = [];
}

@injectable()
class Exchange {
  constructor(
    @inject("Rate") private readonly rate: Rate,
    @inject("Ledger") private readonly ledger: Ledger,
    @inject("Missing") @optional() readonly missing: unknown,
  ) {}
  change(amount: number, currency: string): number {
    const changed = amount * this.rate.of(currency);
    this.ledger.entries.push(`${amount} ${currency} -> ${changed}`);
    return changed;
  }
}

export function run({ changes }: { changes: [number, string][] }): unknown {
  const container = new Container();
  container.bind<Rate>("Rate").to(FixedRate).inSingletonScope();
  container.bind<Ledger>("Ledger").to(MemoryLedger).inSingletonScope();
  container.bind(Exchange).toSelf();
  const exchange = container.get(Exchange);
  const results = changes.map(([amount, currency]) => exchange.change(amount, currency));
  Reflect.defineMetadata("role", "exchange", Exchange);
  let unbound = "";
  try {
    container.get("Nothing");
  } catch (error) {
    unbound = (error as Error).constructor.name;
  }
  return {
    results,
    entries: container.get<Ledger>("Ledger").entries,
    fresh: container.get(Exchange) !== exchange,
    missing: exchange.missing === undefined,
    role: Reflect.getMetadata("role", Exchange),
    unbound,
  };
}
