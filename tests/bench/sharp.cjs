// Pictures by sharp, to be measured beside ours: node sharp.cjs WIDTH FORMAT QUALITY FOLDER FILE...
'use strict';
const path = require('node:path');
const sharp = require('sharp');

const [width, format, quality, folder, ...files] = process.argv.slice(2);
sharp.concurrency(1);
sharp.cache(false);
(async () => {
  for (const file of files) {
    const name = `${path.parse(file).name}-s.${format}`;
    await sharp(file).rotate().resize({ width: Number(width) })[format]({ quality: Number(quality) }).toFile(path.join(folder, name));
  }
})();
