// The compiler behind bin/solc: `--standard-json [FILE]`, with imports read from the file system.
"use strict";
const fs = require("fs");
const path = require("path");
const solc = require("solc");

if (process.argv[2] === "--print-version") {
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${solc.version().replace(".Emscripten.clang", ".Linux.g++")}`);
  process.exit(0);
}

const roots = [];
let input = 0; // standard input
let standardJson = false;
for (const args = process.argv.slice(2); args.length > 0; ) {
  const [flag, inline] = args.shift().split(/=(.*)/s);
  const value = () => inline ?? args.shift();
  if (flag === "--standard-json") standardJson = true;
  else if (flag === "--base-path") roots.unshift(value()); // searched before the include paths
  else if (flag === "--include-path") roots.push(value());
  else if (flag === "--allow-paths") value(); // whoever starts us may read his own files anyway
  else if (flag !== "-" && !flag.startsWith("-")) input = flag;
  else if (flag !== "-") fail(`unknown option ${flag}`);
}
if (!standardJson) fail("only --standard-json and --version are supported");
roots.push(".");
// Ape compiles in a temporary copy of the contracts, which lacks node_modules.
roots.push(path.join(__dirname, ".."));

function fail(message) {
  console.error(`solc: ${message}`);
  process.exit(1);
}

function findImport(name) {
  for (const root of roots) {
    const file = path.resolve(root, name);
    if (fs.existsSync(file)) return { contents: fs.readFileSync(file, "utf8") };
  }
  return { error: `${name} not found in ${roots.join(", ")}` };
}

fs.writeSync(1, solc.compile(fs.readFileSync(input, "utf8"), { import: findImport }));
