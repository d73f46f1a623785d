// A trading ledger: orders come in, are checked by rules in JavaScript, matched here, and every trade is on a ledger
// that proves it. Usage: trading-ledger DATA APP RECEIPTS (directories of data, of the rules, and for receipts).
#include <affiant.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace {

// All amounts are whole numbers; an order on the wire is "TRADER buy|sell PRICE QUANTITY".
struct order {
    std::string trader, side;
    long price = 0, quantity = 0;

    static std::optional<order> read(std::string_view text) {
        order read;
        std::istringstream words{std::string(text)};
        if (words >> read.trader >> read.side >> read.price >> read.quantity && words.eof() &&
            (read.side == "buy" || read.side == "sell") &&
            read.trader.find_first_not_of("abcdefghijklmnopqrstuvwxyz") == std::string::npos) {
            return read;
        }
        return std::nullopt;
    }
    std::string json() const {
        return "{\"trader\":\"" + trader + "\",\"side\":\"" + side +
               "\",\"price\":" + std::to_string(price) +
               ",\"quantity\":" + std::to_string(quantity) + "}";
    }
};

long number(const std::optional<affiant::bytes_view> &value) {
    return value ? std::stol(value->str()) : 0;
}

// Prices in the order in which they are served: keys of equal length sort as numbers do.
std::string price_key(long price) {
    std::string digits = std::to_string(price);
    return std::string(12 - digits.size(), '0') + digits;
}

class exchange {
public:
    // The rules run in the same process, behind an endpoint of their own.
    affiant::response rules(const order &order) const {
        return ledger->call("POST", "/app/rules/check", order.json());
    }

    void place(const affiant::request &request, affiant::transaction_ref &tx,
               affiant::reply &reply) const {
        std::optional<order> taken = order::read(request.body().text());
        if (!taken) {
            reply.error(400, "InvalidInput", "An order is: TRADER buy|sell PRICE QUANTITY.");
            return;
        }
        affiant::response verdict = rules(*taken);
        if (verdict.status() != 200) {
            reply.error(422, "RefusedByRules", verdict.body().text());
            return;
        }
        reply.body(match(*taken, tx));
    }

    void position(const affiant::request &request, affiant::transaction_ref &tx,
                  affiant::reply &reply) const {
        reply.body(std::to_string(number(tx.get("positions", *request.param("trader")))));
    }

    const affiant::runtime *ledger = nullptr;

private:
    // Trades with the other side of the book as long as prices meet; what is left waits in the book.
    std::string match(order taken, affiant::transaction_ref &tx) const {
        const bool buys = taken.side == "buy";
        const std::string other = buys ? "book.sell" : "book.buy";
        std::string said;
        while (taken.quantity > 0) {
            std::optional<order> best = cheapest(tx, other, buys);
            if (!best || (buys ? best->price > taken.price : best->price < taken.price)) {
                break;
            }
            const long traded = std::min(best->quantity, taken.quantity);
            settle(tx, buys ? taken.trader : best->trader, traded);
            settle(tx, buys ? best->trader : taken.trader, -traded);
            record(tx, taken, *best, traded);
            said += std::to_string(traded) + " at " + std::to_string(best->price) + " with " +
                    best->trader + "\n";
            taken.quantity -= traded;
            best->quantity -= traded;
            keep(tx, other, *best);
        }
        keep(tx, buys ? "book.buy" : "book.sell", taken);
        return said + std::to_string(taken.quantity) + " waits\n";
    }

    static std::optional<order> cheapest(affiant::transaction_ref &tx, const std::string &book,
                                         bool lowest) {
        std::optional<order> found;
        for (const auto &[key, value] : tx.range(book)) {
            found = order::read(value.text());
            if (lowest) {
                break;
            }
        }
        return found;
    }

    static void keep(affiant::transaction_ref &tx, const std::string &book, const order &order) {
        const std::string key = price_key(order.price) + "/" + order.trader;
        if (order.quantity == 0) {
            tx.remove(book, key);
            return;
        }
        tx.put(book, key,
               order.trader + " " + order.side + " " + std::to_string(order.price) + " " +
                   std::to_string(order.quantity));
    }

    static void settle(affiant::transaction_ref &tx, const std::string &trader, long change) {
        tx.put("positions", trader,
               std::to_string(number(tx.get("positions", trader)) + change));
    }

    // In the clear, and claimed to the world: the receipt of this transaction proves the trade.
    static void record(affiant::transaction_ref &tx, const order &taken, const order &best,
                       long traded) {
        const std::string text = taken.trader + " " + taken.side + "s " + std::to_string(traded) +
                                 " at " + std::to_string(best.price) + " from/to " + best.trader;
        const long count = number(tx.get("public:trades", "count")) + 1;
        tx.put("public:trades", "count", std::to_string(count));
        tx.put("public:trades", std::to_string(count), text);
        tx.claims_digest(affiant::sha256(text));
    }
};

void write(const std::filesystem::path &path, std::string_view text) {
    std::ofstream file(path, std::ios::binary);
    file << text;
    if (!file.flush()) {
        throw std::runtime_error("cannot write " + path.string());
    }
}

std::string read(const std::filesystem::path &path) {
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
}

// A morning's orders; the receipt of each trade goes to a file.
void trade(const affiant::runtime &ledger, const std::filesystem::path &receipts) {
    const std::vector<std::string> orders = {
        "alice sell 101 50", "bob buy 99 40",    "carol buy 101 30",     "dave sell 98 10",
        "erin buy 105 100",  "mallory buy 1 501", "mallory buy 20000 1", "what is this",
    };
    for (const std::string &order : orders) {
        affiant::response answer = ledger.call("POST", "/app/orders", order);
        std::cout << order << ": " << answer.status() << " " << answer.body().text();
        if (answer.status() != 200) {
            std::cout << "\n";
        }
    }
    affiant::snapshot seen = ledger.snapshot();
    for (const auto &[number, text] : seen.range("public:trades")) {
        if (number.text() == "count") {
            continue;
        }
        affiant::txid id = ledger.txid_at(*seen.version_of("public:trades", number));
        write(receipts / (number.str() + ".json"), ledger.receipt(id).json());
        write(receipts / (number.str() + ".txt"), text.text());
    }
    write(receipts / "service_cert.pem", ledger.service_certificate());
}

// As an auditor does who has nothing but the files.
int audit(const std::filesystem::path &receipts) {
    const std::string certificate = read(receipts / "service_cert.pem");
    int held = 0;
    for (const auto &file : std::filesystem::directory_iterator(receipts)) {
        if (file.path().extension() != ".txt") {
            continue;
        }
        const std::string trade = read(file.path());
        const std::string receipt = read(std::filesystem::path(file.path()).replace_extension(".json"));
        affiant::expected_claims wanted;
        wanted.claims = trade;
        if (!affiant::verify_receipt(receipt, certificate, wanted)) {
            std::cout << "NOT PROVED: " << trade << "\n";
            return 1;
        }
        held++;
    }
    std::cout << held << " trades are proved by their receipts\n";
    return held > 0 ? 0 : 1;
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 4) {
        std::cerr << "usage: trading-ledger DATA APP RECEIPTS\n";
        return 2;
    }
    try {
        const std::filesystem::path receipts = argv[3];
        std::filesystem::create_directories(receipts);
        auto house = std::make_shared<exchange>();
        {
            affiant::runtime ledger =
                affiant::options()
                    .directory(argv[1])
                    .endpoint("POST", "/orders",
                              [house](const auto &request, auto &tx, auto &reply) {
                                  house->place(request, tx, reply);
                              })
                    .endpoint("GET", "/positions/{trader}",
                              [house](const auto &request, auto &tx, auto &reply) {
                                  house->position(request, tx, reply);
                              },
                              affiant::endpoint_options::read_only())
                    .open();
            house->ledger = &ledger;
            ledger.load_app(argv[2]);
            trade(ledger, receipts);
            for (const char *trader : {"alice", "bob", "carol", "dave", "erin"}) {
                affiant::response held =
                    ledger.call("GET", std::string("/app/positions/") + trader);
                std::cout << trader << " holds " << held.body().text() << "\n";
            }
            ledger.stop();
        }
        return audit(receipts);
    } catch (const std::exception &error) {
        std::cerr << "trading-ledger: " << error.what() << "\n";
        return 1;
    }
}
