// papaparse: CSV read with quotes, line breaks and types; written; its faults told.
import Papa from "papaparse";

export function run({ csv }) {
  const typed = Papa.parse(csv, { header: true, dynamicTyping: true, skipEmptyLines: true });
  const faulty = Papa.parse('a,b\n"1,2\n', { header: true });
  const stepped = [];
  Papa.parse(csv, { step: (row) => stepped.push(row.data.length) });
  return {
    rows: typed.data,
    fields: typed.meta.fields,
    delimiter: Papa.parse("a;b;c\n1;2;3").meta.delimiter,
    faults: faulty.errors.map((error) => error.code),
    stepped,
    written: Papa.unparse(typed.data, { quotes: true, newline: "\n" }),
  };
}
