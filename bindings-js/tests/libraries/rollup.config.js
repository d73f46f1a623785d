// Half of the handlers are built by rollup, the other half by esbuild (build.js): apps use either.
import commonjs from "@rollup/plugin-commonjs";
import resolve from "@rollup/plugin-node-resolve";

export default ["lodash", "csv", "base64"].map((name) => ({
  input: `src/${name}.js`,
  output: { file: `build/dist/src/${name}.js`, format: "es" },
  plugins: [resolve({ browser: true }), commonjs()],
  onLog(level, log, handler) {
    if (log.code !== "CIRCULAR_DEPENDENCY") handler(level, log);
  },
}));
