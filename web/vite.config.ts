import { defineConfig } from "vite";

// Nothing is inlined: the server's content policy allows only files of its own.
export default defineConfig({
  base: "/",
  build: {
    outDir: "../src/pbf_ray/http/page",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    reportCompressedSize: false,
  },
  worker: { format: "es" },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  // npm run dev: the page from its sources, the data from a pbf-ray serve beside it.
  server: { proxy: { "/api": "http://127.0.0.1:8000" } },
});
