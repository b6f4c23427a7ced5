/*
 * Builds what browsers run from the sources beside this file: `node storefront/build.mjs`.
 * With --check nothing is written; the status is 1 when a committed build is not its source's, or is too big.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { buildSync } from 'esbuild';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const BUILDS = [
  { source: 'storefront/embed.js', built: 'extensions/click-capture/assets/click-capture.js', most: 2048 },
  // Shopify's CLI bundles the pixel itself when it is deployed; this copy is for the pretend storefront.
  { source: 'extensions/click-pixel/src/index.js', built: 'impact_app/simulator/storefront/built/click-pixel.js', most: 2048 },
];

const bundle = (source) =>
  buildSync({
    entryPoints: [join(ROOT, source)],
    banner: { js: `/* Built from ${source}: make scripts */` },
    bundle: true,
    charset: 'utf8',
    format: 'iife',
    legalComments: 'none',
    minify: true,
    target: 'es2020',
    write: false,
  }).outputFiles[0].text;

const checking = process.argv.includes('--check');
for (const { source, built, most } of BUILDS) {
  const text = bundle(source);
  const size = gzipSync(text, { level: 9 }).length;
  console.log(`${relative('.', join(ROOT, built))}: ${size} of ${most} bytes gzipped`);
  if (size > most) {
    console.error(`${source} has grown too big.`);
    process.exitCode = 1;
  }
  if (!checking) writeFileSync(join(ROOT, built), text);
  else if (text !== readFileSync(join(ROOT, built), 'utf8')) {
    console.error(`${built} is not what ${source} gives. Run: make scripts`);
    process.exitCode = 1;
  }
}
